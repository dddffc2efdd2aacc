"""Plans of real DuckDB queries: what is read of DuckDB's JSON, in both forms, and what is drawn of it."""

from __future__ import annotations

import json

import duckdb
import pytest

from md_magic import plans
from md_magic.plan_view import Plan
from md_magic.plans import Operator

JOIN = "SELECT g, count(*) AS n FROM t JOIN u USING (i) WHERE s LIKE '%1%' GROUP BY g ORDER BY n LIMIT 3"


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        made.execute("CREATE TABLE t AS SELECT range AS i, range % 7 AS g, 'x' || range AS s FROM range(20000)")
        made.execute("CREATE TABLE u AS SELECT range AS i FROM range(100)")
        yield made


@pytest.fixture
def plan_of(connection):
    def ask(sql, *, run):
        [(_, text)] = connection.execute(f"EXPLAIN ({'ANALYZE, ' * run}FORMAT JSON) {sql}").fetchall()
        return plans.read(text, analyzed=run)

    return ask


def node(name, *, rows=None, estimated=None, children=(), **more):
    extra = {} if estimated is None else {"Estimated Cardinality": estimated}
    return {"operator_name": name, "operator_cardinality": rows, "extra_info": extra, "children": list(children)} | more


def analyzed(*nodes):
    return plans.read(json.dumps({"latency": 1.0, "children": list(nodes)}), analyzed=True)


@pytest.mark.parametrize("run", [False, True], ids=["explain", "analyze"])
def test_a_plan_is_read_with_its_tree_and_details(plan_of, run):
    plan = plan_of(JOIN, run=run)
    names = [one.name for one in plan.operators]
    assert names[0] == "TOP_N"
    assert "EXPLAIN_ANALYZE" not in names
    join = next(one for one in plan.operators if one.name == "HASH_JOIN")
    assert len(join.children) == 2
    assert join.extra["Join Type"] == "INNER"
    scans = [one for one in plan.operators if one.extra.get("Table", "").endswith(("main.t", "main.u"))]
    assert len(scans) == 2
    assert all(one.estimated for one in scans)
    assert "Estimated Cardinality" not in scans[0].extra
    assert plan.operators.index(join) < plan.operators.index(join.children[0]) < plan.operators.index(join.children[1])
    assert (plan.seconds is not None) is run
    assert all((one.rows is not None) is run for one in plan.operators)


def test_rows_are_those_that_the_query_gives(plan_of):
    plan = plan_of("SELECT * FROM t WHERE i % 10 = 3", run=True)
    assert plan.operators[0].rows == 2000
    assert plan.busy > 0
    assert plan.share(plan.costliest) == max(plan.share(one) for one in plan.operators)
    assert sum(plan.share(one) for one in plan.operators) == pytest.approx(1)


@pytest.mark.parametrize(
    ("estimated", "rows", "times"),
    [
        pytest.param("100", 1000, None, id="ten times is near enough"),
        pytest.param("100", 1001, 10.01, id="more"),
        pytest.param("1001", 100, 100 / 1001, id="fewer"),
        pytest.param("0", 0, None, id="nothing, as expected"),
        pytest.param("0", 10, None, id="nothing expected counts as one"),
        pytest.param("0", 11, 11, id="nothing expected, more came"),
        pytest.param("11", 0, 1 / 11, id="nothing came"),
        pytest.param(None, 10**9, None, id="no estimate"),
        pytest.param("~20,000 rows", 1, 1 / 20_000, id="an estimate in words"),
    ],
)
def test_a_misestimate_of_more_than_ten_times_is_pointed_out(estimated, rows, times):
    plan = analyzed(node("SCAN", rows=rows, estimated=estimated))
    assert plan.operators[0].misestimate == (None if times is None else pytest.approx(times))
    assert bool(plan.misestimates) is (times is not None)
    assert ("than estimated" in repr(Plan.of(plan))) is (times is not None)


@pytest.mark.parametrize(
    ("told", "name", "side"),
    [
        pytest.param({"operator_name": "SEQ_SCAN (L)"}, "SEQ_SCAN", "local", id="local"),
        pytest.param({"operator_name": "SEQ_SCAN(R) "}, "SEQ_SCAN", "remote", id="remote"),
        pytest.param({"name": "hash_join ( r )"}, "hash_join", "remote", id="small, blanks"),
        pytest.param({"name": "FILTER (Remote)"}, "FILTER", "remote", id="in full"),
        pytest.param({"operator_name": "X", "operator_type": "TABLE_SCAN (L)"}, "X", "local", id="in the type"),
        pytest.param({"name": "SEQ_SCAN"}, "SEQ_SCAN", None, id="unmarked"),
        pytest.param({"name": "F(RL)"}, "F(RL)", None, id="other brackets"),
    ],
)
def test_local_and_remote_operators_are_told_apart(told, name, side):
    """That MotherDuck's JSON marks them as its text does is a guess: it cannot be had here."""
    plan = plans.read(json.dumps([told]))
    assert (plan.operators[0].name, plan.operators[0].side) == (name, side)
    if side:
        assert f"({side[0].upper()}) {side}" in repr(Plan.of(plan))
        assert f"class='badge {side}'" in Plan.of(plan)._repr_html_()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="nothing"),
        pytest.param('{"result": "error"}', id="DuckDB's answer for what it did not measure"),
        pytest.param("", id="no text"),
        pytest.param('{"children": null}', id="no children"),
    ],
)
def test_an_empty_answer_has_no_operators(text):
    assert plans.read(text).operators == ()


@pytest.mark.parametrize("text", ["┌──┐\n│ <b> │", "null", "17", "{", '[{"name": "X", "children": ['])
def test_an_answer_that_is_no_plan_is_shown_as_it_is(text):
    plan = Plan.of(plans.read(text))
    assert text in repr(plan)
    assert "<b>" not in plan._repr_html_()


def test_missing_and_odd_values_do_no_harm():
    told = [{"name": None, "children": [{"operator_timing": "soon", "extra_info": "hello", "operator_name": 7}]}]
    [operator] = plans.read(json.dumps(told)).operators
    assert (operator.name, operator.rows, operator.seconds, operator.estimated) == ("7", None, None, None)
    assert "hello" in operator.extra.values()
    assert "NaN" not in repr(Plan.of(plans.read('[{"name": "X", "operator_timing": NaN}]', analyzed=True)))


def test_everything_that_is_shown_is_escaped(plan_of, connection):
    connection.execute("""CREATE OR REPLACE TABLE "<script>alert(1)</script>" AS SELECT 1 AS "a""b<i>'" """)
    plan = Plan.of(
        plan_of(
            """SELECT * FROM "<script>alert(1)</script>" WHERE "a""b<i>'" % 3 = 1 AND '<img src=x onerror="1">' <> "a""b<i>'"::TEXT""",
            run=True,
        )
    )
    html = plan._repr_html_()
    assert "<script" not in html
    assert "<i>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    control = plans.read(json.dumps([{"name": "A\x1b[31m\u202eB", "extra_info": {"Table": "x\ny"}}]))
    assert "\x1b" not in repr(Plan.of(control)) + Plan.of(control)._repr_html_()


def test_fifty_joins_stay_readable(plan_of):
    joins = " ".join(f"JOIN u u{at} ON u{at}.i = u{at - 1}.i" for at in range(1, 51))
    plan = Plan.of(plan_of(f"SELECT count(*) FROM u u0 {joins}", run=True))
    assert len([one for one in plan.operators if one.name == "HASH_JOIN"]) == 50
    assert max(len(line) for line in repr(plan).splitlines()) < 300


def test_a_thousand_unions_are_folded(plan_of):
    plan = Plan.of(plan_of(" UNION ALL ".join(["SELECT i FROM u WHERE i > 1"] * 900), run=True))
    assert len(plan.operators) >= 901
    html = plan._repr_html_()
    assert "more operators</summary>" in html
    assert len(html) < 2_000_000


def test_a_plan_thousands_deep_is_read_and_drawn():
    text = '{"name": "X", "extra_info": {}, "children": [' * 5000 + "]}" * 5000
    plan = Plan.of(plans.read(text))
    assert len(plan.operators) == 5000
    assert "further operators not drawn" in plan._repr_html_()
    assert len(repr(plan).splitlines()) == 1003
    assert "children=1" in repr(plan.operators[0])
    branches = '{"name": "J", "children": [{"name": "L"}, ' * 500 + '{"name": "E"}' + "]}" * 500
    drawn = repr(Plan.of(plans.read(branches)))
    assert max(len(line) for line in drawn.splitlines()) < 200


def test_the_parser_for_deep_plans_reads_what_the_usual_one_reads(connection):
    [(_, text)] = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {JOIN}").fetchall()
    assert plans.deep(text) == json.loads(text)
    odd = {"a": [1, -2.5e-7, True, None, [], {}], 'q"\\': "]}:, \u00e9\n", "": {"x": [{"y": "\\"}]}}
    assert plans.deep(json.dumps(odd)) == odd


def test_an_operator_can_be_computed_with():
    plan = analyzed(node("A", rows=4, children=[node("B", rows=5, operator_timing=0.25)], operator_timing=0.75))
    assert [(one.name, one.rows, one.seconds) for one in plan.operators] == [("A", 4, 0.75), ("B", 5, 0.25)]
    assert isinstance(plan.costliest, Operator)
    assert plan.share(plan.costliest) == 0.75
    assert plan.seconds == 1.0
