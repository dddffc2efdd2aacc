"""Plans of real DuckDB queries: what is read of DuckDB's JSON, in both forms."""

from __future__ import annotations

import json

import duckdb
import pytest

from md_magic.engine.plans import duckdb as plans
from md_magic.engine.plans.plan import Operator

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
def test_an_answer_that_is_no_plan_is_kept_as_it_is(text):
    plan = plans.read(text)
    assert (plan.operators, plan.text) == ((), text)


def test_missing_and_odd_values_do_no_harm():
    told = [{"name": None, "children": [{"operator_timing": "soon", "extra_info": "hello", "operator_name": 7}]}]
    [operator] = plans.read(json.dumps(told)).operators
    assert (operator.name, operator.rows, operator.seconds, operator.estimated) == ("7", None, None, None)
    assert "hello" in operator.extra.values()
    [operator] = plans.read('[{"name": "X", "operator_timing": NaN}]', analyzed=True).operators
    assert operator.seconds is None


def test_a_plan_thousands_deep_is_read():
    text = '{"name": "X", "extra_info": {}, "children": [' * 5000 + "]}" * 5000
    plan = plans.read(text)
    assert len(plan.operators) == 5000
    assert "children=1" in repr(plan.operators[0])


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


# ---- MotherDuck's hybrid plans, as far as their text is known: their JSON has not been seen -------------------------


def bridged(*, ends=True, ids=True, seconds=(None, None, None, None)):
    """Return a plan whose scan is remote and whose aggregate is local."""
    scan = node("SEQ_SCAN  (R)", rows=5000, operator_timing=seconds[3])
    info = {"bridge_id": "7"} if ids else {}
    sink = node("BATCH_DOWNLOAD_SINK (R)", rows=5000, children=[scan], operator_timing=seconds[2])
    source = node("DOWNLOAD_SOURCE (L)", rows=5000, children=[sink] if ends else [scan], operator_timing=seconds[1])
    for end in (sink, source):
        end["extra_info"] |= info
    return analyzed(node("UNGROUPED_AGGREGATE (L)", rows=1, children=[source], operator_timing=seconds[0]))


def test_a_side_is_read_behind_one_blank_and_behind_two():
    sides = [(operator.name, operator.side) for operator in bridged().operators]
    assert sides == [
        ("UNGROUPED_AGGREGATE", "local"),
        ("DOWNLOAD_SOURCE", "local"),
        ("BATCH_DOWNLOAD_SINK", "remote"),
        ("SEQ_SCAN", "remote"),
    ]


@pytest.mark.parametrize("ids", [True, False])
def test_a_bridge_has_a_direction_and_is_crossed_once(ids):
    plan = bridged(ids=ids)
    bridges = [operator.bridge for operator in plan.operators]
    assert bridges == [None, ("download", "7" * ids), ("download", "7" * ids), None]
    assert plan.crossings == (("download", 5000, None),)


def test_ends_that_are_not_marked_are_where_they_must_be():
    for name, side in [("UPLOAD_SINK", "local"), ("UPLOAD_SOURCE", "remote"), ("BATCH_UPLOAD_SINK", "local")]:
        [operator] = analyzed(node(name)).operators
        assert (operator.side, operator.bridge) == (side, ("upload", ""))
    [operator] = analyzed(node("UPLOAD")).operators
    assert (operator.side, operator.bridge) == (None, ("upload", ""))
    [operator] = analyzed(node("LOADER_UPLOADED")).operators
    assert operator.bridge is None


def test_two_bridges_without_ids_are_two():
    first, second = (node("DOWNLOAD_SOURCE (L)", estimated=rows) for rows in (10, 20))
    plan = plans.read(json.dumps([node("HASH_JOIN (L)", children=[first, second])]))
    assert plan.crossings == (("download", None, 10), ("download", None, 20))


def test_time_is_spent_in_places():
    assert bridged(seconds=(0.1, 0.2, 0.3, 1.0)).places == {"local": 0.1, "transfer": 0.5, "remote": 1.0}
    assert analyzed(node("SEQ_SCAN", operator_timing=1.0)).places == {}
    assert analyzed(node("SEQ_SCAN", operator_timing=1.0)).crossings == ()
