"""A drawing as an `altair.Chart`: its bundle, its colours, and that what is drawn is what it says."""

from __future__ import annotations

import html
import itertools
import json
import re
import struct
import subprocess
import sys
import zlib

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from md_magic.display.chart import build, bundle, colors
from md_magic.session.chart.values import Wish
from md_magic.session.session import Session


@pytest.fixture(scope="module")
def session():
    made = Session(notify=print)
    yield made
    made.close_all()


@pytest.fixture
def made(session):
    def draw(sql, **wish):
        return build.chart(session.chart(sql, {}, {}, Wish(**wish), None))

    return draw


def drawn(chart):
    """The marks of *chart* as Vega draws them, by their roles."""
    svg = vl_convert.vegalite_to_svg(bundle.specification_of(chart), vl_version="5.20")
    return [part.split('"')[0] for part in svg.split('aria-roledescription="')[1:]]


KINDS = {
    "bar": "SELECT 'k' || range % 3 AS k, range AS n FROM range(9)",
    "line": "SELECT DATE '2024-01-01' + range::INT AS d, range AS n, 'k' || range % 2 AS k FROM range(9)",
    "area": "SELECT DATE '2024-01-01' + range::INT AS d, range AS n, 'k' || range % 2 AS k FROM range(9)",
    "point": "SELECT range AS a, range AS b, 'k' || range % 2 AS k FROM range(9)",
    "histogram": "SELECT range AS a FROM range(9000)",
    "box": "SELECT 'k' || range % 3 AS k, range AS n FROM range(9000)",
    "heatmap": "SELECT 'k' || range % 3 AS k, 'l' || range % 4 AS l FROM range(12)",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_altair_chart_with_one_bundle(made, kind):
    chart = made(KINDS[kind], kind=kind)
    assert isinstance(chart, alt.Chart)
    assert isinstance(chart.data, pd.DataFrame)
    data, metadata = chart._repr_mimebundle_()
    assert set(data) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    assert data["application/vnd.vegalite.v5+json"]["$schema"].endswith("vega-lite/v5.json")
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) < 120_000
    width, _ = struct.unpack(">II", data["image/png"][16:24])
    assert metadata["image/png"]["width"] == width // 2
    assert data["text/plain"].startswith("<altair.Chart> ")
    assert "http" not in json.dumps(data["application/vnd.vegalite.v5+json"]).replace(
        "https://vega.github.io/schema", ""
    )


@pytest.mark.parametrize(
    ("kind", "role", "number"), [("bar", "bar", 3), ("point", "point", 9), ("heatmap", "rect mark", 12)]
)
def test_as_many_marks_are_drawn_as_there_are(made, kind, role, number):
    assert drawn(made(KINDS[kind], kind=kind)).count(role) == number


@pytest.mark.parametrize(
    "name",
    [
        "a.b",
        "a[0]",
        "q'x",
        'w""y',
        "c:Q",
        "a\\b",
        " b",
        "datum",
        "C:\\temp",
        "a\\.b",
        "a\\",
        "constructor",
        "toString",
        "valueOf",
        "hasOwnProperty",
    ],
)
@pytest.mark.parametrize(
    ("kind", "role"), [("bar", "bar"), ("point", "point"), ("heatmap", "rect mark"), ("box", "box")]
)
def test_hostile_names_are_drawn(made, name, kind, role):
    sql = f"""SELECT 'k' || range % 3 AS "{name}", range AS "{name}2", 'l' || range % 2 AS "{name}3" FROM range(6)"""
    chart = made(
        sql, kind=kind, x=name.replace('""', '"'), color=None if kind == "heatmap" else f"{name}3".replace('""', '"')
    )
    assert drawn(chart).count(role) >= 3


@pytest.mark.parametrize("name", ["C:\\temp", "a\\b", "a\\.b", "constructor", "valueOf"])
def test_a_bar_of_a_hostile_name_has_its_place_height_and_title(made, name):
    chart = made(f"""SELECT 'l' || range % 3 AS "{name}", range + 1 AS z FROM range(3)""", kind="bar")
    svg = vl_convert.vegalite_to_svg(bundle.specification_of(chart), vl_version="5.20")
    bars = re.findall(r'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="bar" d="M[^v]*v(\d+)', svg)
    assert [re.findall(r"(l\d|z: \d)", label)[:2] for label, _ in sorted(bars)] == [
        [f"l{at}", f"z: {at + 1}"] for at in range(3)
    ]
    assert [round(int(height), -1) for _, height in sorted(bars)] == [100, 200, 300]
    assert f">{name}</text>" in svg.replace("\u200b", "")
    assert chart.to_dict()["encoding"]["tooltip"][0]["title"].replace("\\\\", "\\").replace("\u200b", "") == name


@pytest.mark.parametrize("label", ["constructor", "toString", "__proto__", "hasOwnProperty"])
@pytest.mark.parametrize("kind", ["bar", "line", "point", "heatmap", "box", "area"])
@pytest.mark.parametrize("wish", [{}, {"color": "w"}, {"facet": "w"}], ids=str)
def test_a_label_that_every_object_has_is_drawn(made, label, kind, wish):
    sql = f"SELECT ['{label}', 'a'][1 + range % 2] AS v, range + 1 AS z, ['{label}', 'b'][1 + range % 2] AS w FROM range(6)"
    if kind == "heatmap" and "color" in wish:
        wish = {"color": "z", "y": "w"}
    assert drawn(made(sql, kind=kind, **wish))


def test_what_a_person_makes_of_it_shows_itself_too(made):
    chart = made(KINDS["bar"], kind="bar").properties(width=99).encode(color=alt.value("red")).interactive()
    data, _ = chart._repr_mimebundle_()
    assert data["application/vnd.vegalite.v5+json"]["width"] == 99
    assert "image/png" in data


def test_moments_are_drawn_in_no_zone_of_the_browser(made):
    chart = made("SELECT TIMESTAMP '2024-03-31 02:30:00' + INTERVAL (range) HOUR AS t, range AS n FROM range(3)")
    specification = bundle.specification_of(chart)
    assert specification["encoding"]["x"]["scale"] == {"type": "utc"}
    values = next(iter(specification["datasets"].values()))
    assert values[0]["t"] == "2024-03-31T02:30:00+00:00"
    assert ">02:30<" in vl_convert.vegalite_to_svg(specification, vl_version="5.20")


def test_a_year_has_no_comma(made):
    chart = made("SELECT 2010 + range AS year, range AS n FROM range(4)", kind="line")
    assert "2,010" not in vl_convert.vegalite_to_svg(bundle.specification_of(chart), vl_version="5.20")


def test_a_smaller_png_has_the_same_pixels(made):
    specification = bundle.specification_of(made(KINDS["bar"], kind="bar"))
    whole = vl_convert.vegalite_to_png(specification, vl_version="5.20", scale=2)
    small = bundle.smaller(whole)
    assert len(small) < len(whole) / 2
    assert _pixels(small) == _pixels(whole)


def _pixels(image):
    at, found = 8, b""
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        body = image[at + 4 : at + 8 + length]
        assert struct.unpack(">I", image[at + 8 + length : at + 12 + length]) == (zlib.crc32(body),)
        found += body[4:] if body[:4] == b"IDAT" else b""
        at += 12 + length
    return zlib.decompress(found)


# ---- colours --------------------------------------------------------------------------------------------------------

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
_EYES = {  # Machado and others 2009, complete
    "all": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


def _linear(color):
    channels = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _contrast(one, two):
    light, dark = sorted((float(_linear(each) @ _TO_XYZ[1]) for each in (one, two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _lab(color, eye):
    xyz = np.clip(_linear(color) @ eye.T, 0, 1) @ _TO_XYZ.T / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("color", [*colors.CATEGORIES, colors.OTHER])
@pytest.mark.parametrize("background", ["#ffffff", "#333333", "#111111"])
def test_a_mark_is_seen_in_both_themes(color, background):
    assert _contrast(color, background) >= 3


@pytest.mark.parametrize("color", colors.RAMP)
def test_a_cell_is_seen_on_its_ground(color):
    assert _contrast(color, colors.GROUND) >= 3


@pytest.mark.parametrize("eye", _EYES)
def test_colours_differ_for_the_colour_blind(eye):
    for one, two in itertools.combinations([*colors.CATEGORIES, colors.OTHER], 2):
        assert np.linalg.norm(_lab(one, _EYES[eye]) - _lab(two, _EYES[eye])) >= 17


def test_lines_and_points_differ_in_more_than_colour(made):
    assert "strokeDash" in bundle.specification_of(made(KINDS["line"], kind="line"))["encoding"]
    assert "shape" in bundle.specification_of(made(KINDS["point"], kind="point", color="k"))["encoding"]


def test_a_value_that_no_picture_can_hold_is_drawn_and_ends_no_kernel():
    """vl-convert aborts the process at a character that XML does not have: it is tried in a process of its own."""
    code = """
from md_magic.display.chart import build
from md_magic.session.chart.values import Wish
from md_magic.session.session import Session
session = Session(notify=print)
for query in ("SELECT 'a' || chr(0) || chr(27) || chr(65535) AS k, 2 AS n", "SELECT 'k' AS k, 9223372036854775807 AS n FROM range(3)"):
    bundle, _ = build.chart(session.chart(query, {}, {}, Wish("bar"), None))._repr_mimebundle_()
    print(sorted(bundle))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-300:]
    assert ran.stdout.count("image/png") == 2


def test_charts_together_show_themselves_as_one_does(made):
    bars = made("SELECT * FROM (VALUES ('a', 1), ('b', 5)) t(k, n)")
    rule = alt.Chart(pd.DataFrame({"n": [3]})).mark_rule().encode(y="n:Q")
    for chart in (
        bars + rule,
        rule + bars,
        bars | bars,
        rule | bars,
        bars & rule,
        (bars + rule) | bars,
        bars + rule + rule,
    ):
        data, metadata = chart._repr_mimebundle_()
        assert set(data) == {bundle.MIME, "image/png", "text/plain"}
        assert data[bundle.MIME]["config"]["customFormatTypes"] is True
        assert data[bundle.MIME]["$schema"].endswith("v5.json")
        assert metadata["image/png"]["width"] > 600
    assert "config" in bars.to_dict()


@pytest.mark.parametrize(("x", "y", "axis"), [("x", "n", 1), ("n", "x", 0)])
def test_a_stack_has_the_order_of_its_legend(made, x, y, axis):
    rows = "SELECT 'x' AS x, 'k''\"]' || range AS k, 1 + (range < 7)::INT AS n FROM range(20)"
    specification = bundle.specification_of(made(rows, kind="bar", color="k", x=x, y=y))
    svg = vl_convert.vegalite_to_svg(specification, vl_version="5.20")
    bar = r'aria-label="[^"]*k: ([^"]*?)" role="graphics-symbol" aria-roledescription="bar" d="M([\d.]+),([\d.]+)'
    found = re.findall(bar, svg)
    placed = sorted((float(place[axis]), html.unescape(name).split("; order")[0]) for name, *place in found)
    legend = specification["encoding"]["color"]["scale"]["domain"]
    assert legend[-1] == "13 others"
    assert [name for _, name in placed] == legend
