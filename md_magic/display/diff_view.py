"""A diff as a person sees it: the verdict, the counts, the columns that differ, and the first differing rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.display.markup import escaped, line, rule, table
from md_magic.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.session.diff.value import ComparedColumn, Diff

_MOST_COLUMNS = 12
"""Columns of the rows that are shown."""

_LONGEST = 40
"""Characters of a value that is shown."""

_STYLE = """
& { font-family: var(--jp-ui-font-family, sans-serif); font-size: 13px; line-height: 1.5; color: inherit }
& h4 { margin: 4px 0; font-size: 14px; font-weight: 600 }
& .verdict { display: inline-block; padding: 0 8px; border-radius: 10px; font-weight: 600; margin-right: 6px }
& .same { background: rgba(47, 158, 68, .22) }
& .differs { background: rgba(224, 49, 49, .20) }
& table { border-collapse: collapse; margin: 6px 0 10px; font-size: 12px; color: inherit; background: none }
& th, & td { padding: 2px 10px 2px 0; text-align: left; border: 0; background: none; color: inherit; white-space: pre }
& th { font-weight: 600; border-bottom: 1px solid rgba(128, 128, 128, .5) }
& td.number, & th.number { text-align: right }
& tr.here td { background: rgba(224, 49, 49, .13) }
& tr.there td { background: rgba(47, 158, 68, .13) }
& td.changed { font-weight: 700; text-decoration: underline }
& .scroll { overflow-x: auto }
& p { margin: 2px 0 }
& em { opacity: .75 }
"""


def as_text(diff: Diff) -> str:
    """Return the card as text."""
    lines = [f"{_verdict(diff)}: {line(diff.here)} and {line(diff.there)}{_by(diff)}", ""]
    lines += table([["", "rows"], *([name, f"{number:,}"] for name, number in _counts(diff))], right=frozenset({1}))
    if columns := list(_columns(diff)):
        named = [[line(cell) for cell in row] for row in columns]
        lines += ["", *table([["column", "here", "there", "differs"], *named])]
    if diff.examples:
        shown = diff.compared[:_MOST_COLUMNS]
        header = ["change", "table", *(line(column.name, _LONGEST) for column in shown)]
        rows = [[row.change, row.table, *map(_value, row.values[: len(shown)])] for row in diff.examples]
        lines += ["", *table([header, *rows])]
    more = _more(diff)
    return "\n".join([*lines, *([""] if more else []), *more])


def as_html(diff: Diff) -> str:
    """Return the card as static HTML."""
    verdict = "differs" if diff else "same"
    names = f"{escaped(diff.here)} and {escaped(diff.there)}<em>{escaped(_by(diff))}</em>"
    parts = [
        rule("md-diff", _STYLE),
        f"<h4><span class='verdict {verdict}'>{_verdict(diff)}</span> {names}</h4>",
        _html_table([["", "rows"], *([name, f"{number:,}"] for name, number in _counts(diff))], numbers={1}),
    ]
    if columns := list(_columns(diff)):
        parts.append(_html_table([["column", "here", "there", "differs"], *columns]))
    if diff.examples:
        parts.append(f"<div class='scroll'>{_html_rows(diff)}</div>")
    parts += [f"<p><em>{escaped(note, 400)}</em></p>" for note in _more(diff)]
    return f"<div class='md-diff'>{''.join(parts)}</div>"


def _verdict(diff: Diff) -> str:
    if not diff:
        return "The same"
    if diff.rows_differ:
        return "Different"
    return "Different columns, the same rows"


def _by(diff: Diff) -> str:
    return f", by {', '.join(diff.key)}" if diff.key else ""


def _counts(diff: Diff) -> Iterator[tuple[str, int]]:
    yield "here", diff.rows_here
    yield "there", diff.rows_there
    yield "the same", diff.same
    yield "only here", diff.only_here
    yield "only there", diff.only_there
    if diff.key:
        yield "changed", diff.changed


def _columns(diff: Diff) -> Iterator[list[str]]:
    """Yield the columns that differ: name, both types, and how."""
    for column in diff.columns:
        if how := _how(column):
            yield [column.name, column.here or "-", column.there or "-", how]


def _how(column: ComparedColumn) -> str:
    if column.there is None:
        return "only here"
    if column.here is None:
        return "only there"
    said = ["type"] if column.differs else []
    if column.changed:
        said.append(f"{count(column.changed, 'row')} changed")
    return ", ".join(said)


def _more(diff: Diff) -> list[str]:
    """Return what is said below: the notes, and what is not shown."""
    said = list(diff.notes)
    differing = diff.only_here + diff.only_there + diff.changed
    cut = len(diff.compared) > _MOST_COLUMNS or differing * 2 > len(diff.examples) + diff.only_here + diff.only_there
    if diff.rows_differ and cut:
        said.append(f".frame() has all {count(differing, 'differing row')}, and all columns.")
    return said


def _value(text: str | None) -> str:
    return "NULL" if text is None else line(text, _LONGEST)


def _html_table(rows: Sequence[Sequence[str]], *, numbers: set[int] | None = None) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        kinds = [" class='number'" if at in (numbers or ()) else "" for at in range(len(row))]
        return "".join(f"<{tag}{kind}>{escaped(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    head, *body = rows
    lines = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in body)
    return f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{lines}</tbody></table>"


def _html_rows(diff: Diff) -> str:
    """Return the first differing rows; what changed is underlined."""
    shown = diff.compared[:_MOST_COLUMNS]
    head = "".join(
        f"<th>{escaped(name, _LONGEST)}</th>" for name in ("change", "table", *(each.name for each in shown))
    )
    body = []
    for row in diff.examples:
        cells = [f"<td>{escaped(row.change)}</td><td>{escaped(row.table)}</td>"]
        for column, value in zip(shown, row.values, strict=False):
            text = "<em>NULL</em>" if value is None else escaped(value, _LONGEST)
            cells.append(f"<td class='changed'>{text}</td>" if column.name in row.changed_in else f"<td>{text}</td>")
        body.append(f"<tr class='{escaped(row.table)}'>{''.join(cells)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
