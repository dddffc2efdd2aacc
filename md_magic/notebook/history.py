"""Removing a secret that was typed into a cell from IPython's history: its lists, its variables and its database."""

from __future__ import annotations

import linecache
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

from md_magic.auth.secret import Secret, scrubber
from md_magic.auth.token import TOKEN_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

logger = logging.getLogger(__name__)

WARNING = (
    "This cell holds a MotherDuck token, which is saved with the notebook. Delete it from the cell, and revoke it if"
    f" somebody else may have seen it ({TOKEN_PAGE}). Better ways: run the cell without a token and sign in; or set the"
    " environment variable motherduck_token before the kernel starts; or pass a dict that a file fills: --config NAME."
)
"""The warning after a token was typed into a cell; shown once."""


_SHORTEST = 6
"""The fewest characters of a password to mask everywhere. A shorter one may be part of words, and is masked in URIs."""


def forget(shell: Any, secrets: Iterable[Secret]) -> None:  # noqa: ANN401 - any IPython shell
    """Mask *secrets* in everything that *shell* keeps of this session's cells. The notebook itself still has them."""
    history = getattr(shell, "history_manager", None)
    secrets = tuple(secrets)
    if history is None or not secrets:
        return
    clean = _cleaner([secret for secret in secrets if len(secret.reveal()) >= _SHORTEST])
    for inputs in (history.input_hist_parsed, history.input_hist_raw):
        inputs[:] = [clean(text) for text in inputs]
    _in_variables(history.__dict__, clean)
    _in_variables(history._trait_values, clean)  # noqa: SLF001 - `_i00` and its like are traits
    _in_variables(shell.user_ns, clean)
    _in_sources(clean)
    _in_database(history, clean)


_untouched: dict[frozenset[str], set[int]] = {}
"""Hashes of texts in which nothing is masked, by the digests of the secrets: each cell looks at all of a session's."""


def _cleaner(secrets: Sequence[Secret]) -> Callable[[str], str]:
    """Return what masks *secrets* in a text, and remembers where there are none."""
    scrubbed, known = scrubber(secrets), _untouched.setdefault(frozenset(map(Secret.digest, secrets)), set())

    def clean(text: str) -> str:
        if hash(text) in known:
            return text
        cleaned = scrubbed(text)
        if cleaned == text:
            known.add(hash(text))
        return cleaned

    return clean


def _in_sources(clean: Callable[[str], str]) -> None:
    """Mask secrets in the lines that Python keeps of each cell, for tracebacks to show."""
    for name, entry in linecache.cache.copy().items():
        if name.startswith("<") or "ipykernel" in name:
            lines = next((part for part in entry if isinstance(part, list)), [])  # none, if they are still to be loaded
            whole = "".join(lines)
            if (text := clean(whole)) != whole:
                linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def _in_variables(variables: dict[str, Any], clean: Callable[[str], str]) -> None:
    """Mask secrets in `_i`, `_ii`, `_iii`, `_i00` and `_i1`, `_i2`, ..."""
    for name, value in variables.copy().items():
        if isinstance(value, str) and name.startswith("_i") and name.strip("_i0123456789") == "":
            variables[name] = clean(value)


def _in_database(history: Any, clean: Callable[[str], str]) -> None:  # noqa: ANN401 - IPython's HistoryManager
    with history.db_input_cache_lock:
        history.db_input_cache[:] = [(line, clean(source), clean(raw)) for line, source, raw in history.db_input_cache]
    if not history.enabled:
        return
    history.writeout_cache()
    try:
        _rewrite(history.db, history.session_number, clean)
    except sqlite3.Error as error:
        logger.debug("IPython's history could not be changed: %s", type(error).__name__)


def _rewrite(database: sqlite3.Connection, session: int, clean: Callable[[str], str]) -> None:
    database.execute("PRAGMA secure_delete = ON")  # or the old text stays in the file's free space
    rows = database.execute("SELECT line, source, source_raw FROM history WHERE session = ?", (session,)).fetchall()
    with database:
        for line, *texts in rows:
            masked = [clean(text) for text in texts]
            if masked != texts:
                database.execute(
                    "UPDATE history SET source = ?, source_raw = ? WHERE session = ? AND line = ?",
                    (*masked, session, line),
                )
