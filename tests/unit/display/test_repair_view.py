"""How a repair is drawn: a unified diff, in text and in two colours, of texts that nobody has checked."""

from __future__ import annotations

from md_magic.display.repair_view import as_html, as_text
from md_magic.session.platform import Repair


def test_the_difference_is_a_unified_diff():
    repair = Repair("SELECT nam\nFROM t\n", "SELECT name\nFROM t")
    assert as_text(repair).splitlines()[1:] == [
        "--- the failed cell",
        "+++ suggested",
        "@@ -1,2 +1,2 @@",
        "-SELECT nam",
        "+SELECT name",
        " FROM t",
    ]
    html = as_html(repair)
    assert (
        "<span class='removed'>-SELECT nam</span><span class='added'>+SELECT name</span><span class=''> FROM t</span>"
        in html
    )
    assert "<span class='place'>+++ suggested</span>" in html


def test_no_difference_is_a_sentence():
    repair = Repair("SELECT 1\n", "\nSELECT 1")
    assert as_text(repair) == "MotherDuck's model suggests no change. Nothing was run."
    assert "<pre>" not in as_html(repair)


def test_nothing_of_a_model_is_obeyed():
    repair = Repair("SELECT 1", "<img src=x onerror=alert(1)> \x1b[2J\r\N{RIGHT-TO-LEFT OVERRIDE}")
    assert "<img" not in as_html(repair)
    for drawn in (as_text(repair), as_html(repair)):
        assert [char for char in "\x1b\r\N{RIGHT-TO-LEFT OVERRIDE}" if char in drawn] == []
