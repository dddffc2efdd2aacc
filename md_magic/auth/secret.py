"""Secrets: text that never shows up in a `repr`, a log or a pickle, and masking it in other text."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MASK = "***"
"""What replaces a secret."""

_FRAGMENT = 8
"""Any run of this many characters of a secret is masked too: databases shorten the SQL that they quote."""

_SHORT = 8
"""Characters: a shorter password that is a plain word or number is left alone in prose, where it means itself."""

_WORDS = frozenset({"administrator", "database", "localhost", "motherduck", "password", "postgres", "readonly"})
"""Longer passwords that are words of error messages."""

_NAMES = re.compile(
    r"(?i)token|passw|pwd|secret|credential|passcode|passphrase|\Apass\Z|_pass\Z"
    r"|(api|private|encryption|master|access|account|hmac|shared|signing|storage|subscription)[_-]?key"
    r"|\Akey_?id\Z|\Akey\Z|connection_?string|conn_?str\Z|odbc_?connect|(\A|-)auth(orization)?\Z|bearer|signature"
    r"|\Asig\Z|\A(set-)?cookie\Z"
)
"""What names of parameters and settings look like whose value is a secret."""

_HARMLESS = frozenset({"allow_persistent_secrets", "default_secret_storage", "secret_directory"})
"""Settings that are named like a secret and are none."""

_PAIR = re.compile(
    r"""(?<![\w-])([\w-]{1,64})\s{0,8}=\s{0,8}("[^"]*"|''[^'\s][^']{0,256}''|'[^']*'|\{[^}]{0,4096}\}|[^\s;&'"]+)"""
)
"""A name and its value in a connection string: `password=x`, `PWD={x}`, in SQL's quotes `password=''x''`.

Each part is bounded, and so is the time."""

_TEXT = r"""(?:[EeNn]|[Uu]&)?(?:'(?:[^'\\]|''|\\.)*+'|'[^']*')|\$(?P<tag>\w{0,32})\$.{0,512}?\$(?P=tag)\$"""
"""A text in SQL: `'x'`, `E'x'`, `$$x$$`. Whether a backslash escapes is the database's affair: it does where it can."""

_NAMED_TEXT = r"""(?:"(?:[^"\\]|""|\\.)*+")"""
"""A text in double quotes, as MySQL has it and DuckDB in CREATE SECRET; elsewhere it is a name."""

_CLAUSE = re.compile(
    rf"""(?s)(?<![\w-])(?P<quote>["'`]?)(?P<name>[\w-]{{1,64}})(?P=quote)(?:\s{{1,8}}|\s{{0,8}}(?:=>|[=:])\s{{0,8}})"""
    rf"""(?P<text>{_TEXT}|{_NAMED_TEXT})"""
)
"""A name and its value in SQL: `SECRET 'x'`, `PASSWORD E'x'`, `'Authorization': 'x'`."""

_IDENTIFIED = re.compile(
    r"(?is)\b(?:IDENTIFIED\s{1,8}(?:(?:WITH|VIA)\s{1,8}['\"`]?\w{1,64}['\"`]?\s{1,8})?(?:BY|USING|AS)(?:\s{1,8}PASSWORD)?"
    r"|PASSWORD\s{1,8}FOR\s[^=]{1,256}=|PASSWORD(?=\s{0,8}\()|ADD_PARQUET_KEY\s{0,8}\(\s{0,8}'[^']*'\s{0,8},)"
    rf"\s{{0,8}}\(?\s{{0,8}}(?P<text>{_TEXT}|{_NAMED_TEXT})"
)
"""A password or key behind words that do not say so, or in brackets."""

_ACCOUNT = re.compile(
    r"(?i)\b(?:CREATE|ALTER)\s{1,8}(?:(?:OR|REPLACE|PERSISTENT|TEMPORARY|TEMP)\s{1,8}){0,4}(?:SECRET|USER|ROLE|LOGIN)\b"
)
"""The beginning of a statement in which what follows the name of a secret is one, in double quotes too."""

_BARE = re.compile(
    rf"""(?s)[(,]\s{{0,8}}(?P<quote>"?)(?P<name>\w{{1,64}})(?P=quote)(?:\s{{0,8}}\(\s{{0,8}}(?P<text>{_TEXT})"""
    r"""|\s{1,8}(?P<bare>[\w./+-]{1,256}+)(?!\s{0,8}\())"""
)
"""A name and its value in CREATE SECRET, which need no quotes, and can stand in brackets: `(SECRET x`."""

_CONNECTION = re.compile(
    r"""(?s)'(?=\s{0,8}\w{1,64}\s{0,8}=)((?:[^'\\]|''|\\.)*+)'|\$(\w{0,32})\$(?=\s{0,8}\w{1,64}\s{0,8}=)(.{0,512}?)\$\2\$"""
)
"""A connection string, which begins with a name and `=`, as a text of any statement: `dblink('host=h password=x')`."""

_BEARER = re.compile(r"(?i)'Bearer\s{1,8}([^\s']{1,4096})'")
"""What a header of HTTP says in any statement."""

_BEFORE_SQL = re.compile(r"(?:\s++|--[^\n]*+(?:\n|\Z)|/\*.{0,2000}?\*/|;)*+", re.DOTALL)
"""What may stand before a statement."""

_ANYWHERE = re.compile(r"(?i)\b(?:ATTACH|IDENTIFIED|SECRET)\b")
"""Words that tell of a secret also in SQL that is none, or behind an EXPLAIN."""

_FIRST_WORD = re.compile(r"[A-Za-z]{1,9}")

_TELLING = frozenset({"ALTER", "ATTACH", "CHANGE", "CREATE", "GRANT", "PRAGMA", "SET"})
"""First words of statements that hold secrets as a matter of course."""

_USERINFO = re.compile(r"(?s)(?<=//)([^\s'\"/:@?#]{0,256}):(.*)")
"""User and password in the part of a word that ends before its last `@`: a password may hold a `/`, `?` or `@`."""

_CUT_PASSWORD = re.compile(r"(://[^\s:/@'\"`]{0,256}+:)[^\s@…]{0,256}+(?=…)")
"""A password whose end, and the `@` behind it, were cut off."""

_ESCAPED = re.compile(r"(?s)\\(.)")
_PLACEHOLDER = re.compile(r"\$\{\w{1,256}\}")
"""A variable's name in place of a password, which is none."""

_WORD = re.compile(r"\S+")
_PARTIAL = 4
"""Characters: a shorter beginning of a password that may hold an `@` is not looked for by itself."""

_QUERY = re.compile(r"(?i)(?<=[?&;])([\w.-]+)=([^&;\s'\"]+)")


_HINTS = (
    *("token", "pass", "pwd", "secret", "credential", "key", "conn", "auth", "bearer", "sig", "identified", "cookie"),
    *("@", "%"),
)
"""Words, in small letters, of which one stands in every ASCII text that the patterns above find a secret in."""


class Secret:
    """Text that only `reveal` shows. It cannot be pickled; it hashes and compares by value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself: for the driver, the keyring and nobody else."""
        return self._value

    def digest(self) -> str:
        """Return twelve hexadecimal digits that distinguish secrets and cannot be reversed."""
        return hashlib.sha256(_bytes(self._value)).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        message = "A secret is not pickled: the file or the process that gets the pickle would hold it in clear."
        raise TypeError(message)


def _bytes(text: str) -> bytes:
    """Return *text* as bytes, a lone surrogate too: what is typed may hold one."""
    return text.encode(errors="surrogatepass")


class MaskedURI(str):
    """A URI as a setting holds it: the text itself, and a `repr` without the passwords in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(mask_connection(self))


def is_secret_name(name: str) -> bool:
    """Tell whether the value of a parameter, setting or option of this *name* is a secret."""
    return _NAMES.search(name) is not None and name.lower() not in _HARMLESS


def tells_secret(value: str) -> bool:
    """Tell whether *value* holds a secret within it: a URI with a password, or a connection string with one."""
    for text in {value, unquote(value)}:
        if _passwords(text) or any(is_secret_name(name) for name, _ in _PAIR.findall(text)):
            return True
    return False


def secrets_within(value: str) -> tuple[Secret, ...]:
    """Return the passwords in *value*: a URI, or a connection string, percent-encoded or not."""
    texts: dict[str, None] = {}
    for text in {value, unquote(value)}:
        texts |= dict.fromkeys(_passwords(text))
        texts |= dict.fromkeys(quoted.strip("'\"{}") for name, quoted in _PAIR.findall(text) if is_secret_name(name))
    return tuple(Secret(text) for text in texts if text)


def _may_tell(text: str) -> bool:
    """Tell whether *text* can hold a secret: nearly none does, and the patterns take longer than the rest of a cell."""
    if not text.isascii():  # the patterns take some other letters for those of `_HINTS`
        return True
    text = text.lower()
    return any(hint in text for hint in _HINTS)


def secrets_in_sql(sql: str, first_word: str) -> tuple[Secret, ...]:
    """Return the passwords and keys typed into *sql*, a statement that begins with *first_word*."""
    if first_word not in _TELLING or not _may_tell(sql):
        return ()
    in_quotes = _ACCOUNT.search(sql) is not None
    found = [
        match["text"]
        for match in _CLAUSE.finditer(sql)
        if is_secret_name(match["name"]) and (in_quotes or not match["text"].startswith('"'))
    ]
    found += [match["text"] for match in _IDENTIFIED.finditer(sql)]
    if in_quotes:
        found += [match["text"] or match["bare"] for match in _BARE.finditer(sql) if is_secret_name(match["name"])]
    return (*secrets_within(sql), *(Secret(text) for quoted in found for text in _meant(quoted) if text))


def _meant(quoted: str) -> set[str]:
    """Return what a text of SQL may mean: as it is typed, without what escapes its quotes, and up to a backslash."""
    quote = quoted[-1]
    if quote == "$":
        return {quoted[quoted.index("$", 1) + 1 : quoted.rindex("$", 0, -1)]}
    if quote not in "'\"":
        return {quoted}
    typed = quoted[quoted.index(quote) + 1 : -1]
    begin = typed.partition(f"\\{quote}")[0]
    short = {begin} if len(begin) >= _PARTIAL else set()
    return {typed, typed.replace(quote * 2, quote), _ESCAPED.sub(r"\1", typed), *short}


def secrets_typed(line: str, sql: str) -> tuple[Secret, ...]:
    """Return the secrets in a magic's *line* and the *sql* below it: of their URIs, and of their statements."""
    typed: dict[Secret, None] = {}
    for text in (line, sql):
        if not _may_tell(text):
            continue
        if "://" in text or "?" in text:
            values = [value for name, value in _QUERY.findall(text) if is_secret_name(name)]
            typed |= dict.fromkeys(map(Secret, [*_passwords(text), *values]))
        typed |= dict.fromkeys(secrets_told(text))
    return tuple(secret for secret in typed if not _PLACEHOLDER.fullmatch(secret.reveal()))


def secrets_told(text: str) -> tuple[Secret, ...]:
    """Return the secrets in the statements of *text*: in connection strings, and in what can hold one.

    Statements are told apart by semicolons alone: one within a string begins no other that matters.
    """
    return (*_in_any_statement(text), *_in_telling_statements(text))


def _in_any_statement(text: str) -> Iterator[Secret]:
    if ("'" not in text and "$" not in text) or not _may_tell(text):
        return
    for quoted, _, dollars in _CONNECTION.findall(text):
        yield from secrets_within(quoted.replace("''", "'") or dollars)
    yield from map(Secret, _BEARER.findall(text))


def _in_telling_statements(text: str) -> tuple[Secret, ...]:
    """Return the secrets from the first statement that can hold one on."""
    start = 0
    while start < len(text):
        start = _BEFORE_SQL.match(text, start).end()  # type: ignore[union-attr] # it always matches
        first = _FIRST_WORD.match(text, start)
        if first is not None and first[0].upper() in _TELLING:
            return secrets_in_sql(text[start:], first[0].upper())
        start = text.find(";", start)
        if start < 0:
            break
    return secrets_in_sql(text, "CREATE") if _ANYWHERE.search(text) is not None else ()


def mask_connection(text: str) -> str:
    """Return the connection string *text* with its passwords masked."""
    pairs = _PAIR.sub(lambda match: f"{match[1]}={MASK}" if is_secret_name(match[1]) else match[0], text)
    return mask_uris(pairs)


def mask_uris(text: str) -> str:
    """Return *text* with what a URI in it holds of secrets masked: `//user:***@host`, `?password=***`."""
    if "//" in text and "@" in text:
        text = _WORD.sub(_masked_word, text)
    if "…" in text:
        text = _CUT_PASSWORD.sub(rf"\1{MASK}", text)
    if "=" in text:
        text = _QUERY.sub(lambda match: f"{match[1]}={MASK}" if is_secret_name(match[1]) else match[0], text)
    return text


def _masked_word(match: re.Match[str]) -> str:
    before, sign, after = match[0].rpartition("@")
    return _USERINFO.sub(rf"\1:{MASK}", before) + sign + after


def _passwords(text: str) -> list[str]:
    """Return the passwords of the URIs in *text*; of one with an `@` also what stands before the first."""
    if "//" not in text or "@" not in text:
        return []
    whole = [match[2] for word in _WORD.findall(text) if (match := _USERINFO.search(word.rpartition("@")[0]))]
    return [*whole, *(begin for begin in (text.partition("@")[0] for text in whole) if len(begin) >= _PARTIAL)]


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """Return *text* with *secrets* masked, also their fragments of eight characters or more.

    Databases shorten the SQL that they quote, and each dotted part of a token is readable by itself. Percent-encoded
    and quoted spellings are masked as well. A password that is a short word, such as
    `test`, is masked in a URI only: in prose it is part of other words, and the message would be unreadable.
    """
    return scrubber(secrets)(text)


def scrubber(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """Return what does to a text as `scrub` with *secrets*: their spellings are found once, for many texts."""
    secrets = list(secrets)
    within = {secret: secrets_within(secret.reveal()) for secret in secrets}
    values = {each.reveal() for secret in secrets for each in (within[secret] or (secret,))}
    whole = {secret.reveal() for secret in secrets if within[secret]}  # what else is in a URI is no secret by itself
    ordered = sorted({form for value in values if not _is_word(value) for form in forms(value)}, key=len, reverse=True)
    replaced = [*sorted({form for value in whole for form in forms(value)}, key=len, reverse=True), *ordered]
    fragments = [_fragments(form) for form in ordered]

    def scrubbed(text: str) -> str:
        for form in replaced:
            text = text.replace(form, MASK)
        for each in fragments:  # last: masking one first would leave the rest of a whole secret
            text = _without_fragments(text, each)
        return mask_uris(text)

    return scrubbed


def mask_typed(text: str, secrets: Iterable[Secret]) -> str:
    """Return *text*, into which *secrets* were typed, with them masked: short words too, where one could stand."""
    secrets = list(secrets)
    if not secrets:
        return mask_uris(text)
    text = scrub(text, secrets)
    for word in sorted({secret.reveal() for secret in secrets if _is_word(secret.reveal())}, key=len, reverse=True):
        text = re.sub(rf"(?<=['\"$]){re.escape(word)}(?=['\"$])|(?<==){re.escape(word)}(?!\w)", MASK, text)
    return text


def _is_word(value: str) -> bool:
    plain = value.isalpha() or value.isdecimal()
    return (plain and len(value) < _SHORT) or value.lower() in _WORDS


def forms(value: str) -> set[str]:
    """Return the ways in which *value* can be spelled in a text: as it is, percent-encoded, or quoted."""
    raw = _bytes(value)
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw), repr(value)[1:-1], value.replace("'", "''")}
    return {value, *quoted} - {""}


def _fragments(value: str) -> set[str]:
    return {value[at : at + _FRAGMENT] for at in range(len(value) - _FRAGMENT + 1)}


def _without_fragments(text: str, fragments: set[str]) -> str:
    if len(fragments) < len(text) and not any(fragment in text for fragment in fragments):
        return text
    hits = [at for at in range(len(text) - _FRAGMENT + 1) if text[at : at + _FRAGMENT] in fragments]
    for start, end in reversed(_spans(hits)):
        text = text[:start] + MASK + text[end:]
    return text


def _spans(hits: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for at in hits:
        if spans and at <= spans[-1][1]:
            spans[-1] = (spans[-1][0], at + _FRAGMENT)
        else:
            spans.append((at, at + _FRAGMENT))
    return spans
