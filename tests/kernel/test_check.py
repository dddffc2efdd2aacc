"""A cell is checked while another runs, over a comm, and leaves nothing in DuckDB's logs, profile and transactions."""

from __future__ import annotations

import json

ASK = """\
import threading, time
from md_magic.notebook import checking
magics = get_ipython().magics_manager.registry["MdsqlMagics"]

def ask(source):
    for _ in range(500):
        answer = checking.answer(magics, {"id": 1, "source": "%%mdsql\\n" + source})
        if answer["whole"]:
            return [mark["message"].partition("\\n")[0] for mark in answer["marks"]]
        time.sleep(0.02)

asked = []
"""


def test_no_query_of_ours_is_in_logs_profiles_or_transactions(kernel, tmp_path):
    profile = tmp_path / "profile.json"
    kernel.run(ASK)
    kernel.run("%mdsql CREATE TABLE flights (carrier VARCHAR)")
    assert kernel.run("print(ask('SELECT carier FROM flights'))").text.startswith("['Binder Error: Referenced column")
    kernel.run("%mdsql CALL enable_logging('QueryLog')")
    kernel.run(f"%%mdsql\nSET enable_profiling = 'json'; SET profiling_output = '{profile}'")
    kernel.run("%mdsql BEGIN")
    first = kernel.run("n = %mdsql SELECT txid_current() AS n\nprint(n['n'][0])").text
    for _ in range(3):
        kernel.run("print(ask('SELECT carier FROM flights'))")
    assert kernel.run("n = %mdsql SELECT txid_current() AS n\nprint(n['n'][0])").text == first
    assert "txid_current" in json.loads(profile.read_text())["query_name"]
    kernel.run("%mdsql ROLLBACK")
    kernel.run("%mdsql RESET enable_profiling")
    logs = "m = %mdsql SELECT message FROM duckdb_logs WHERE type = 'QueryLog'"
    logged = kernel.run(f"{logs}\nprint(list(m['message']))").text
    assert "txid_current" in logged
    assert not any(word in logged for word in ("carier", "DESCRIBE", "EXPLAIN", "duckdb_tables", "duckdb_columns"))
