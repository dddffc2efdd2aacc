"""Each statement of the corpora gives what the driver itself gives: plain, and among variables of all their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.databases.corpus.runner import SIDES, Pair
from tests.transparency.runner import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VALUES = (-7, "wrong", pd.DataFrame({"i": [-7], "s": ["wrong"]}))


def _hostile(statements: Sequence[str]) -> dict[str, Any]:
    """Return a wrong value for every name in *statements*: a number, a text or a frame."""
    names = sorted(set().union(*map(identifiers, statements)))
    return {name: _VALUES[at % len(_VALUES)] for at, name in enumerate(names)}


def _listed(statement: str | Sequence[str]) -> list[str]:
    return [statement] if isinstance(statement, str) else list(statement)


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Pair]]:
    InteractiveShell.clear_instance()
    made: dict[str, Pair] = {}
    yield made
    for pair in made.values():
        pair.close()
    InteractiveShell.instance().run_line_magic("unload_ext", "md_magic")
    InteractiveShell.clear_instance()


@pytest.fixture
def pair(request: pytest.FixtureRequest, pairs: dict[str, Pair], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Return the pair of the test's database and variables; one is open at a time."""
    name, variables = request.param
    key = f"{name} {variables}"
    if key not in pairs:
        for other in pairs.values():
            other.close()
        pairs.clear()
        server = "" if name == "sqlite" else request.getfixturevalue(f"{name}_server")
        side = SIDES[name](server, tmp_path_factory.mktemp("corpus"))
        statements = [sql for statement in (side.setup, *side.statements) for sql in _listed(statement)]
        given = _hostile(statements)
        shell = Pair(side, given if variables == "hostile" else {})
        if variables == "plain":
            for each in given:
                shell.shell.user_ns.pop(each, None)
        pairs[key] = shell
    return pairs[key]


_ROWS = [
    pytest.param((name, variables), _listed(statement), id=f"{name}-{variables}-{at:03}-{_listed(statement)[0][:40]}")
    for name, side in SIDES.items()
    for variables in ("plain", "hostile")
    for at, statement in enumerate(side.statements)
]


@pytest.mark.parametrize(("pair", "statements"), _ROWS, indirect=["pair"])
def test_a_statement_gives_what_the_driver_gives(pair: Pair, statements: list[str]) -> None:
    assert pair.difference(statements) is None


@pytest.mark.parametrize("name", SIDES)
def test_there_are_enough_statements(name: str) -> None:
    assert len(SIDES[name].statements) >= 150
    assert len({str(statement) for statement in SIDES[name].statements}) == len(SIDES[name].statements)
