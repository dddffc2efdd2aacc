"""The cells of the pages on PostgreSQL and MariaDB run as they stand, but for the place; and some of what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy

from tests.shell.conftest import Shell

HOWTO = Path(__file__).parents[2] / "docs" / "howto"

CLAIMS = {
    "postgresql": [
        ("SELECT count(*) AS n FROM generate_series(1, 9) g WHERE g IN :ids AND g = ANY(:ids)", 2),
        ("SELECT (:document::jsonb ->> 'a')::int AS n", 1),
        ("SELECT extract(day FROM INTERVAL :span)::int AS n", 1),
        ("CREATE VIEW v AS SELECT :two AS n; SELECT n FROM v", 2),
        ("SET statement_timeout = :two; SET statement_timeout = 0; SELECT 1 AS n", 1),
    ],
    "mariadb": [
        ("SET @n := 1; SELECT @n := @n + 1 AS n", 2),
        ("SELECT 'it\\'s # no comment' = \"it's # no comment\" AS n # a comment", 1),
        ("SELECT count(*) AS n FROM seq_1_to_9 WHERE seq IN :ids", 2),
    ],
}


@pytest.mark.parametrize(("page", "variable"), [("postgresql", "PGPASSWORD"), ("mariadb", "MYSQL_PWD")])
def test_the_cells_of_a_page_run(ip, request, monkeypatch, page, variable):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    url = sqlalchemy.make_url(request.getfixturevalue(f"{page}_uri"))
    monkeypatch.setenv(variable, url.password or "not asked for")
    [cell] = re.findall(r"(?ms)^```sql\n(.*?)^```", (HOWTO / f"{page}.md").read_text(encoding="utf-8"))
    written = re.search(rf"(\S+)://\w+:\$\{{{variable}\}}@host/\w+", cell)
    assert written[1] == url.drivername
    there = url.set(password="PASSWORD").render_as_string(hide_password=False).replace("PASSWORD", f"${{{variable}}}")  # noqa: S106 - its place
    version = shell.cell(cell.replace(written[0], there)).value
    assert re.match(r"PostgreSQL \d|\d+\.\d+.*MariaDB", version.iloc[0, 0])
    shell.variables.update(ids=[3, 5], document={"a": 1}, span="1 day", two=2)
    for sql, expected in CLAIMS[page]:
        assert shell.sql(sql).value["n"].tolist() == [expected], sql
