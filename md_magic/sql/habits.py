"""Other tools' habits in SQL, and how the same is written here: one line below a syntax error, where it is sure."""

from __future__ import annotations

import re

_STRING = re.compile(r"'[^']*'")

_NAME = (
    "A parameter is a value, not a name. A DataFrame is read by its variable's name, FROM {0}; a name that is in a"
    " variable is written with --jinja: {{{{ {0} | identifier }}}}"
)
_IN_A_VARIABLE = "SQL that is in a variable is run with --jinja: %mdsql --jinja {{{{ {0} }}}}"
_COMMENT = "A comment in SQL begins with two hyphens: --"
_CATALOG = "%mdsql --tables lists the tables, %mdsql --describe TABLE the columns of one"
_BOUND = "The result is bound with %%mdsql -o {0}, or on one line: {0} = %mdsql SELECT ..."
_VALUE = "A Python variable is bound by its name after a colon: :{0}"

_HABITS = (
    (
        re.compile(r"\A\s{0,99}(?:\{{1,2}\s{0,9}(\w{1,99})\s{0,9}\}{1,2}|[:$](\w{1,99}))\s{0,99};?\s{0,99}\Z"),
        _IN_A_VARIABLE,
    ),
    (
        re.compile(r"(?i)\b(?:from|into|join|table|update)\s{1,99}[:$](\w{1,99})"),
        _NAME,
    ),
    (re.compile(r"\{\{|\{%"), "Double braces are rendered where the cell asks for it: %%mdsql --jinja"),
    (re.compile(r"(?i)\b(?:from|into|join|table|update)\s{1,99}\{(\w{1,99})\}"), _NAME),
    (re.compile(r"%\((\w{1,99})\)s"), _VALUE),
    (re.compile(r"\{(\w{1,99})\}"), _VALUE),
    (re.compile(r"(?<!\w)%s\b"), "A Python variable is bound by its name after a colon, such as :x"),
    (re.compile(r"(?m)(?:^|\s)#"), _COMMENT),
    (re.compile(r"\A\s{0,99}(?:\.(?:tables|schema)|\\d[tv+]{0,3})\b"), _CATALOG),
    (
        re.compile(r"(?i)\bselect\s{1,99}top\s{1,99}\(?(\d{1,9})\b"),
        "The first rows are had with LIMIT {0} at the end, or --limit {0}",
    ),
    (
        re.compile(r"(?i)\A\s{0,99}help\b"),
        "%mdsql --help lists the options, and --help NAME has an example",
    ),
    (re.compile(r"(?im)^[^\S\n]{0,99}go[^\S\n]{0,99}$"), "A statement ends with a semicolon; there is no GO"),
    (re.compile(r"(?i)\A\s{0,99}(\w{1,99})\s{0,9}=\s{0,9}(?:select|from|with)\b"), _BOUND),
)
"""What is written elsewhere, and what is written here; the first that matches."""


_AT = (
    ('near "`"', 'A name is quoted with double quotes: "name"'),
    ('near "//"', _COMMENT),
)
"""Where an error says that it stands, and what is written here."""


def hint(sql: str, error: str = "") -> str:
    """Return how the habit in *sql*, which has the syntax *error*, is written here; empty where there is none."""
    for place, words in _AT:
        if place in error:
            return words
    plain = _STRING.sub("''", sql)
    for pattern, words in _HABITS:
        if (match := pattern.search(plain)) is not None:
            return words.format(*(group for group in match.groups() if group))
    return ""


def in_a_variable(name: str) -> str:
    """Return how SQL that is in the variable *name* is run."""
    return _IN_A_VARIABLE.format(name)
