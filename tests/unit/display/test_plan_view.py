"""How a plan is drawn, as text and as HTML, from values and from real DuckDB plans."""

from __future__ import annotations

import json

import duckdb
import pytest

from md_magic.display.plan_view import as_html, as_text
from md_magic.engine.plans import duckdb as plans
from md_magic.engine.plans.plan import Bridge, Operator, Plan


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        made.execute("CREATE TABLE u AS SELECT range AS i FROM range(100)")
        yield made


@pytest.fixture
def plan_of(connection):
    def ask(sql):
        [(_, text)] = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}").fetchall()
        return plans.read(text, analyzed=True)

    return ask


def test_an_analyzed_plan_has_times_shares_and_badges():
    scan = Operator("SEQ_SCAN", estimated=10, rows=1000, seconds=0.75, side="remote", extra={"Table": "main.t"})
    plan = Plan((Operator("FILTER", rows=4, seconds=0.25, children=(scan,)), scan), analyzed=True, seconds=2.345)
    assert as_text(plan).splitlines() == [
        "2 operators in 2.3 s; together 1.0 s over all threads. Each reads from those below.",
        "Time of the operators, by place: MotherDuck 0.8 s (75 %).",
        "Costliest: SEQ_SCAN main.t, 75 % of the operators' time.",
        "1 estimate more than 10 times off.",
        "  time  share   rows  estimated  operator",
        "250 ms   25 %      4             FILTER",
        " 0.8 s   75 %  1,000         10  SEQ_SCAN main.t  <- (R) remote, costliest, 100 times more than estimated",
    ]
    html = as_html(plan)
    assert "<span class='badge remote'>(R) remote</span>" in html
    assert "<tr class=costliest><td>0.8 s</td>" in html


def test_a_plan_that_was_not_run_has_estimates_alone():
    plan = Plan((Operator("SEQ_SCAN", estimated=1234),), notes=("A note.",))
    assert as_text(plan).splitlines() == [
        "A note.",
        "1 operator, as the optimizer plans it; each reads from those below.",
        "estimated  operator",
        "    1,234  SEQ_SCAN",
    ]


def test_branches_are_indented_and_chains_are_not():
    left, right = Operator("LEFT"), Operator("RIGHT")
    join = Operator("JOIN", children=(left, right))
    text = as_text(Plan((Operator("TOP", children=(join,)), join, left, right)))
    assert [line.strip() for line in text.splitlines()[-4:]] == ["TOP", "JOIN", "├─ LEFT", "└─ RIGHT"]


def test_an_answer_that_is_no_plan_is_shown_as_it_is():
    plan = Plan((), text="┌──┐\n│ <b> │")
    assert as_text(plan) == "The database gave a plan that is not the JSON known here:\n┌──┐\n│ <b> │"
    assert "│ &lt;b&gt; │" in as_html(plan)


def test_a_time_that_is_no_number_is_not_drawn():
    assert "NaN" not in as_text(plans.read('[{"name": "X", "operator_timing": NaN}]', analyzed=True))


def test_everything_that_is_shown_is_escaped(plan_of, connection):
    connection.execute("""CREATE OR REPLACE TABLE "<script>alert(1)</script>" AS SELECT 1 AS "a""b<i>'" """)
    html = as_html(
        plan_of(
            """SELECT * FROM "<script>alert(1)</script>" WHERE "a""b<i>'" % 3 = 1 AND '<img src=x onerror="1">' <> "a""b<i>'"::TEXT"""
        )
    )
    assert "<script" not in html
    assert "<i>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    control = plans.read(json.dumps([{"name": "A\x1b[31m\u202eB", "extra_info": {"Table": "x\ny"}}]))
    assert "\x1b" not in as_text(control) + as_html(control)


def test_fifty_joins_stay_readable(plan_of):
    joins = " ".join(f"JOIN u u{at} ON u{at}.i = u{at - 1}.i" for at in range(1, 51))
    plan = plan_of(f"SELECT count(*) FROM u u0 {joins}")
    assert len([operator for operator in plan.operators if operator.name == "HASH_JOIN"]) == 50
    assert max(len(line) for line in as_text(plan).splitlines()) < 300


def test_a_thousand_unions_are_folded(plan_of):
    plan = plan_of(" UNION ALL ".join(["SELECT i FROM u WHERE i > 1"] * 900))
    assert len(plan.operators) >= 901
    html = as_html(plan)
    assert f"▸ {len(plan.operators) - 150:,} more operators</summary>" in html
    assert len(html) < 2_000_000


def test_a_plan_thousands_deep_is_drawn():
    plan = plans.read('{"name": "X", "extra_info": {}, "children": [' * 5000 + "]}" * 5000)
    assert "4,000 further operators not drawn; all are in .operators." in as_html(plan)
    assert len(as_text(plan).splitlines()) == 1003
    branches = '{"name": "J", "children": [{"name": "L"}, ' * 500 + '{"name": "E"}' + "]}" * 500
    assert max(len(line) for line in as_text(plans.read(branches)).splitlines()) < 200


# ---- two places -----------------------------------------------------------------------------------------------------


def hybrid(*, analyzed):
    measured = {"seconds": 0.5} if analyzed else {}
    scan = Operator("SEQ_SCAN", estimated=4000, rows=5000 if analyzed else None, side="remote", **measured)
    ends = {"estimated": 4000, "rows": 5000 if analyzed else None, "bridge": Bridge("download", "7")}
    sink = Operator("BATCH_DOWNLOAD_SINK", side="remote", children=(scan,), **ends, **measured)
    source = Operator("DOWNLOAD_SOURCE", side="local", children=(sink,), **ends, **measured)
    top = Operator("AGGREGATE", rows=1 if analyzed else None, side="local", children=(source,), **measured)
    return Plan((top, source, sink, scan), analyzed=analyzed, seconds=1.0 if analyzed else None)


def test_a_bridge_is_drawn_as_data_that_travels():
    text = as_text(hybrid(analyzed=True))
    assert (
        "Time of the operators, by place: MotherDuck 0.5 s (25 %), transfer 1.0 s (50 %), this process 0.5 s (25 %)."
        in text
    )
    assert "Data travels: 5,000 rows to this process." in text
    assert "DOWNLOAD_SOURCE  <- (L) local, ↓ download: 5,000 rows to this process" in text
    assert "BATCH_DOWNLOAD_SINK  <- (R) remote, ↓ download: 5,000 rows to this process" in text


def test_what_was_not_run_has_estimates_of_what_travels():
    text = as_text(hybrid(analyzed=False))
    assert "Operators by place: 1 remote, 1 local." in text
    assert "Data travels: about 4,000 rows to this process." in text
    upload = Operator("UPLOAD_SINK", side="local", bridge=Bridge("upload"))
    assert "Data travels: rows to MotherDuck." in as_text(Plan((upload,)))
    assert "↑ upload: rows to MotherDuck" in as_text(Plan((upload,)))


def test_places_have_two_colours():
    html = as_html(hybrid(analyzed=True))
    assert "<b class=at-local>AGGREGATE</b>" in html
    assert "<b class=at-remote>SEQ_SCAN</b>" in html
    assert "<span class='badge bridge'>↓ download: 5,000 rows to this process</span>" in html


def test_a_plan_in_one_place_says_nothing_of_places(plan_of):
    text = as_text(plan_of("SELECT count(*) FROM u"))
    assert "place" not in text
    assert "travels" not in text
