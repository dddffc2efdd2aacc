"""The plan of a typed `EXPLAIN`: a frame like any other result, which is shown as text with its line ends.

The frame gets its drawing as an attribute that IPython looks for. Frames made from it do not have it: they look like
frames.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from md_magic.display.markup import rule

if TYPE_CHECKING:
    from collections.abc import Sequence

_HINT = "Write {option} above the statement, without its {words}, and this plan is drawn as a tree."

_STYLE = """
& pre { margin: 4px 0; line-height: 1.3; color: inherit; background: none; white-space: pre; overflow-x: auto }
& p { margin: 4px 0; opacity: .8 }
"""


def show_as_text(value: Any, column: str, *, drawn_by: str = "", words: str = "EXPLAIN") -> None:  # noqa: ANN401 - a result in any form
    """Have *value* shown as the text in its *column*, if it is a frame with such a column of texts; else as it is.

    *drawn_by* is the option that draws the plan, in place of the *words*, and stands below; empty where there is none.
    """
    if not column or not hasattr(value, "columns") or not hasattr(value, "__dict__"):
        return
    hint = _HINT.format(option=drawn_by, words=words) if drawn_by else ""
    texts = [_whole(each) for each in value[column]] if column in value.columns else []
    if texts and all(texts):
        titles = [str(title) for title in value[value.columns[0]]] if value.columns[0] != column else []
        text = _text(texts, titles)
        shown = _html(f"<pre>{html.escape(text)}</pre>", hint)
    elif hint and hasattr(value, "_repr_html_"):
        text, shown = repr(value), _html(value._repr_html_() or "", hint)
    else:
        return

    def bundle(**_: object) -> dict[str, str]:
        return {"text/plain": f"{text}\n\n{hint}" if hint else text, "text/html": shown}

    object.__setattr__(value, "_repr_mimebundle_", bundle)  # pandas warns of attributes that look like columns


def _whole(value: object) -> str:
    """Return a plan as text: that of PostgreSQL's JSON, which its drivers have read; empty for anything else."""
    if isinstance(value, list | dict):
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return value if isinstance(value, str) else ""


def _text(texts: Sequence[str], titles: Sequence[str]) -> str:
    """Return the plan of *texts*; where there are several of them, each below its title."""
    if len(titles) > 1:
        texts = [f"{title}\n{text}" for title, text in zip(titles, texts, strict=True)]
    text = "\n".join(text.rstrip("\n") for text in texts)
    return "".join(char if char.isprintable() or char in "\n\t" else "·" for char in text)


def _html(body: str, hint: str) -> str:
    note = f"<p>{html.escape(hint)}</p>" if hint else ""
    return f"<div class='md-typed-plan'>{rule('md-typed-plan', _STYLE)}{body}{note}</div>"
