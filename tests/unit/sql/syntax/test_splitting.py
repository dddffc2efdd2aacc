"""Where statements end, and which colons are parameters, by the rules of each database's own client."""

from __future__ import annotations

import pytest

from md_magic.errors import StatementError
from md_magic.sql import syntax

PROCEDURE = """create procedure p(in n int)
begin
  declare done int default 0;
  declare continue handler for not found begin set done = 1; end;
  label1: loop
    if n > 1 then set n = n - 1; elseif n < 0 then leave label1;
    else set n = case when n = 1 then if(n, 0, 1) else 2 end; end if;
    case n when 0 then leave label1; else begin end; end case;
    repeat set n = repeat('1', 1); until n > 0 end repeat;
    while n < 0 do set n = n + 1; end while;
    select a into n from t limit 1 for update;
  end loop label1;
end"""

WHOLE = {
    "postgresql": [
        "select 'a;''b;', E'it\\'s; :x', $$a;b$$, $t$;$$;$t$, U&';', \"n;\"\"m\"",
        "select 1 /* a; /* nested; */ still; */ + 2 -- the; end\n",
        "select '\\'",
        "select a$b$c from t",
        "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
        "create or replace procedure p() language sql begin atomic insert into t values (1); delete from t; end",
        "create rule r as on insert to t do also (insert into log values (1); delete from old;)",
        "do $$begin perform 1; end$$",
        "create function f() returns trigger language plpgsql as 'begin return new; end;'",
    ],
    "mysql": [
        "select \"a;\\\";\", 'it\\'s;', `b;``c`, 5--3 -- a; comment\n , 1 # another; one\n",
        "select 1 /*! + 2 */ /*!50000 , ';' */ /* ; */",
        PROCEDURE,
        "create trigger g before insert on t for each row set new.a = if(new.b, 1, 2)",
        "create definer = `a`@`%` trigger g after delete on t for each row follows h begin set @a = 1; set @b = 2; end",
        "create event e on schedule every 1 day do begin delete from t; delete from u; end",
        "create function f(a int) returns decimal(10, 2) deterministic begin return a; end",
        "create or replace procedure p() if true then select 1; end if",
        "create procedure if not exists p() select 1",
        "begin not atomic declare x int; set x = 1; select x; end",
        "if (1 > 0) then select 1; else select 2; end if",
        "for i in 1..3 do insert into t values (i); end for",
        "alter event e do begin select 1; end",
    ],
    "sqlite": [
        "select 'a;''b', \"c;\", `d;`, [e;]",
        "create trigger g after insert on t begin update t set a = case when 1 then 2 end; select 1; end",
        "create temp trigger if not exists g instead of update on v when new.a begin select case 1 when 1 then 2 end; end",
        'select 1 as "end"',
    ],
    "snowflake": ["select $$a;b$$ // a; comment\n, 'it\\'s;'"],
    "bigquery": ["select 'it\\'s;' # a; comment\n"],
    "mssql": ["select [a;b]]c], 'x;'"],
}


@pytest.mark.parametrize("after", ["", ";", "; \n-- a comment\n"])
@pytest.mark.parametrize(("dialect", "sql"), [(dialect, sql) for dialect, texts in WHOLE.items() for sql in texts])
def test_a_statement_is_one(dialect, sql, after):
    assert [statement.text for statement in syntax.of(dialect).split(sql + after)] == [sql]
    assert [statement.text for statement in syntax.of(dialect).split(f"{sql};;select 2")] == [sql, "select 2"]


@pytest.mark.parametrize(
    ("dialect", "sql", "texts"),
    [
        pytest.param("postgresql", "begin; select 1; end; select 2", ["begin", "select 1", "end", "select 2"], id="pg"),
        pytest.param("mysql", "begin; select 1; commit", ["begin", "select 1", "commit"], id="mysql transaction"),
        pytest.param("sqlite", "begin; select 1; end", ["begin", "select 1", "end"], id="sqlite transaction"),
        pytest.param("sqlite", "drop trigger g; select 1", ["drop trigger g", "select 1"], id="no trigger is made"),
        pytest.param(
            "mysql",
            "DELIMITER $$\ncreate procedure p() begin select 1; end$$\ncreate procedure q() select 2 $$\n"
            "select 3; select 4$$\ndelimiter ;\nselect 5; select 6",
            [
                "create procedure p() begin select 1; end",
                "create procedure q() select 2",
                *(f"select {n}" for n in (3, 4, 5, 6)),
            ],
            id="delimiter",
        ),
        pytest.param(
            "mysql",
            "delimiter //\ncreate procedure p()\nunknown words begin x; y; end\n//\n",
            ["create procedure p()\nunknown words begin x; y; end"],
            id="the delimiter decides",
        ),
        pytest.param(
            "mysql", "drop procedure if exists p; select 1", ["drop procedure if exists p", "select 1"], id="if"
        ),
        pytest.param(
            "mysql", "create table t (event int); select 1", ["create table t (event int)", "select 1"], id="t"
        ),
        pytest.param("oracle", "select 1; select 2", ["select 1", "select 2"], id="others"),
        pytest.param("postgresql", " ;; -- nothing\n", [], id="nothing"),
    ],
)
def test_statements_end_where_the_client_ends_them(dialect, sql, texts):
    assert [statement.text.strip() for statement in syntax.of(dialect).split(sql)] == texts


def test_lines_are_counted():
    statements = syntax.of("mysql").split("select 1;\n\ndelimiter //\nselect 2;\nselect 3 //\n")
    assert [statement.line + statement.text.count("\n") for statement in statements] == [0, 3, 4]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("select 1;\nselect 'a", "the string that begins in line 2 does"),
        ('select "a', "the quoted name that begins in line 1"),
        ("select $a$ $$", "the string that begins in line 1"),
        ("\n\n/* /* */", "the comment that begins in line 3"),
    ],
)
def test_what_does_not_end_is_told(sql, what):
    with pytest.raises(StatementError) as caught:
        syntax.of("postgresql").split(sql)
    assert what in str(caught.value)


PARAMETERS = [
    ("select now() at time zone :x", "x"),
    ("call p(:x, a => :y)", "x y"),
    ("explain select :x", "x"),
    ("explain (analyze, format json) select :x", "x"),
    ("select trim(both :x from a), trim(:y from b)", "x y"),
    ("select 1 where 2 between symmetric :x and :y", "x y"),
    ("select a from t limit :n offset :m", "n m"),
    ("select interval :x, date :y, cast(:z as date)", "x y z"),
    ("select array[:x, :y], array[[:z]], a[f(:i)], (array[1])[1:2]", "x y z i"),
    ("select a[1:n], a[:n], a[l:], a[b.l:n], (a)[f(1):n], a['x':n]", ""),
    ("select a[case when :x then 1 end]", "x"),
    ("select a = any(:x) or a in :y or a in (:z)", "x y z"),
    ("select :x::int, '::text', a::text, :y ::date", "x y"),
    ("select ':a', E'\\':a', $$:a$$, \":a\" -- :a\n/* :a */", ""),
    ("select a:=1, f(a := :x)", "x"),
    ("select '{\"a\": :b}'::json ->> :x, j @? '$.a ? (@ > :y)'", "x"),
    ("insert into t values (:x) on conflict do update set a = :y returning :z", "x y z"),
    ("select -:x, 5 % :y, not :z, +:a", "x y z a"),
    ("select case :x when :y then :z else :a end", "x y z a"),
    ("declare c cursor for select :x", "x"),
    ("set x to :x", "x"),
    ("select a from t fetch first :n rows only", "n"),
    ("select a like :x escape :y, a is distinct from :z", "x y z"),
    ("select :ä, :_x1", "ä _x1"),
    ("select substring(:x from :y for :z), overlay(a placing :b from 1), position(:c in d)", "x y z b c"),
    ("select sum(a) filter (where b > :x) over (rows :y preceding)", "x y"),
]


@pytest.mark.parametrize(("sql", "names"), PARAMETERS)
def test_parameters_stand_where_sql_has_an_operand(sql, names):
    [statement] = syntax.of("postgresql").split(sql)
    assert [parameter.name for parameter in statement.parameters] == names.split()
    for parameter in statement.parameters:
        assert statement.text[parameter.start :].startswith(f":{parameter.name}")


@pytest.mark.parametrize(
    ("dialect", "sql", "names"),
    [
        ("mysql", "replace into t values (:x)", "x"),
        ("mysql", "insert ignore into t set a = :x on duplicate key update a = :y", "x y"),
        ("mysql", "select @a := :x, @b:=1, '\\':y', \":z\" # :a\n", "x"),
        ("mysql", "select date_add(a, interval :n day), 5--:x", "n x"),
        ("mysql", "select a->'$.b', a->>'$:c' limit :n, :m", "n m"),
        ("mysql", "create procedure p() l:loop leave l; end loop", ""),
        ("mysql", "load data infile :x into table t", "x"),
        ("sqlite", "select a->:x, '$.a:b', [c:d], x':e', glob(:y, z)", "x y"),
        ("sqlite", "create trigger g after insert on t begin select new.a; end", ""),
        ("snowflake", "select src:customer.name, a[0]:b, :x, f(:y)", "x y"),
        ("databricks", "select raw:owner:first, :x", "x"),
        ("hive", "select cast(a as struct<b:int,c:string>), 'it\\'s :y', :x", "x"),
        ("mssql", "select [a:b], :x", "x"),
    ],
)
def test_a_colon_of_the_dialects_own_is_no_parameter(dialect, sql, names):
    [statement] = syntax.of(dialect).split(sql)
    assert [parameter.name for parameter in statement.parameters] == names.split()


def test_a_long_cell_is_read_in_one_pass():
    """Each statement and each token is looked at once: with a quadratic step, this would take minutes."""
    rows = ",\n".join(f"({n}, 'text {n}', :x)" for n in range(8_000))
    for dialect in ("postgresql", "mysql", "sqlite"):
        statements = syntax.of(dialect).split(f"insert into t values {rows};\n" + "select 1;\n" * 2_000)
        assert [len(statements), len(statements[0].parameters), statements[-1].line] == [2_001, 8_000, 9_998]
