"""`--explain` and `--analyze` as a tree, from each database's own plan."""

from __future__ import annotations

import pytest

from md_magic.display.plan_view import as_html, as_text
from md_magic.engine.plans.plan import Plan

QUERY = "SELECT s.name, count(*) AS n FROM big b JOIN small s ON b.k = s.k WHERE b.id > 10 GROUP BY s.name ORDER BY n DESC LIMIT 3"


@pytest.fixture
def filled(cells):
    cells.sql("CREATE TABLE big (id INTEGER, k INTEGER)")
    cells.sql("CREATE TABLE small (k INTEGER, name VARCHAR(20))")
    cells.sql("INSERT INTO small VALUES " + ", ".join(f"({n}, 'n{n}')" for n in range(20)))
    cells.sql("INSERT INTO big VALUES " + ", ".join(f"({n}, {n % 20})" for n in range(1000)))
    return cells


def names(plan):
    return {f"{operator.name} {operator.extra.get('Table', '')}".strip() for operator in plan.operators}


def test_explain_is_a_tree_and_nothing_is_run(filled, database):
    plan = filled.sql(QUERY, "--explain").value
    assert isinstance(plan, Plan)
    assert not plan.analyzed
    assert plan.seconds is None
    kinds = {"postgresql": "Seq Scan big", "mysql": "Full scan b", "sqlite": "SCAN b"}
    assert kinds[database.partition("+")[0].partition(":")[0]] in names(plan)
    assert all(operator.rows is None and operator.seconds is None for operator in plan.operators)
    assert "operators, as the optimizer plans it" in as_text(plan)
    assert "<table>" in as_html(plan)
    below = [id(child) for operator in plan.operators for child in operator.children]
    assert sorted([id(plan.operators[0]), *below]) == sorted(map(id, plan.operators))  # one tree


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_analyze_counts_rows_and_time(filled):
    plan = filled.sql(QUERY, "--analyze").value
    assert plan.analyzed
    assert plan.seconds > 0
    [big] = [operator for operator in plan.operators if operator.extra.get("Table") in {"big", "b"}]
    assert big.rows in {989, 1000}  # PostgreSQL filters while it scans
    assert plan.busy > 0
    assert plan.costliest is not None
    assert "Costliest:" in as_text(plan)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_analyze_of_a_change_makes_it_and_explain_does_not(filled):
    filled.sql("DELETE FROM small WHERE k < 5", "--explain")
    assert filled.sql("SELECT count(*) AS n FROM small").value["n"].tolist() == [20]
    filled.sql("DELETE FROM small WHERE k < 5", "--analyze")
    assert filled.sql("SELECT count(*) AS n FROM small").value["n"].tolist() == [15]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_has_no_analyze_and_says_so(filled):
    assert (
        "--analyze: how sqlite is asked for that is not known here."
        in filled.sql(QUERY, "--analyze", error=True).message
    )


def test_a_parameter_is_bound_in_a_plan(filled):
    filled.variables["least"] = 990
    assert filled.sql("SELECT id FROM big WHERE id > :least", "--explain").value.operators


def test_a_typed_explain_with_the_option_is_refused(filled):
    assert "the cell says EXPLAIN itself" in filled.sql("EXPLAIN SELECT 1", "--explain", error=True).message


def test_what_has_no_plan_is_an_error_and_is_not_run(filled):
    filled.sql("CREATE TABLE made (a INTEGER)", "--explain", error=True)
    assert filled.sql("SELECT * FROM made", error=True).message


def test_a_subquery_a_union_and_a_cte_are_in_the_tree(filled):
    sql = "WITH q AS (SELECT k FROM small) SELECT id FROM big WHERE k IN (SELECT k FROM q) UNION ALL SELECT max(k) FROM small"
    plan = filled.sql(sql, "--explain").value
    assert len(plan.operators) > 3
    assert len([operator for operator in plan.operators if "small" in str(operator.extra) + operator.name]) >= 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("options", ["FORMAT json", "ANALYZE, FORMAT json", "FORMAT yaml", "FORMAT xml", "COSTS off"])
def test_a_typed_explain_has_its_line_ends_and_the_hint(filled, options):
    ran = filled.sql(f"EXPLAIN ({options}) SELECT * FROM big")
    text = (
        ran.displayed[-1].data["text/plain"]
        if ran.displayed
        else filled.ip.display_formatter.format(ran.value)[0]["text/plain"]
    )
    option = "--analyze" if "ANALYZE" in options else "--explain"
    assert text.endswith(
        f"\n\nWrite {option} above the statement, without its EXPLAIN, and this plan is drawn as a tree."
    )
    if "json" in options:
        assert text.startswith('[\n  {\n    "Plan": {\n      "Node Type": "Seq Scan",\n')
    assert len(ran.value) > 0


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_typed_explain_that_is_a_table_has_the_hint(filled):
    ran = filled.sql("EXPLAIN SELECT * FROM big")
    assert "drawn as a tree" in filled.ip.display_formatter.format(ran.value)[0]["text/plain"]
