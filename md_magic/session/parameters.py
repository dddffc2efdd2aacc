"""Binding a statement's parameters: which Python variable each one takes its value from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine import variables as namespace
from md_magic.errors import ParameterError
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.sql.statement import Statement


def merged(variables: Mapping[str, Any], parameters: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the notebook's *variables* with *parameters*, the values of `--param`, taking precedence."""
    return {**variables, **parameters} if parameters else variables


def values(statement: Statement, given: Mapping[str, Any]) -> dict[str, object]:
    """Return the values for *statement*'s parameters, taken from *given* by name.

    Raises `ParameterError` if `:name` has no value that SQL can represent. DuckDB's own `$name` is then left out, and
    DuckDB reports it.
    """
    bound = {}
    for parameter in statement.parameters:
        try:
            bound[parameter.name] = _value(parameter.name, given)
        except RecursionError:
            message = f"The parameter :{parameter.name} holds itself, and SQL has no such value."
            raise ParameterError(message) from None
        except ParameterError as error:
            _note_saved_queries(error, statement)
            if parameter.sign == ":":
                raise
    return bound


def frozen(values: Mapping[str, object]) -> dict[str, object]:
    """Return *values* with mutable buffers copied into `bytes`. Lists and dicts were copied when they were bound."""
    return {
        name: bytes(value) if isinstance(value, (bytearray, memoryview)) else value for name, value in values.items()
    }


def _value(name: str, given: Mapping[str, Any]) -> object:
    if name not in given:
        error = ParameterError(_no_value(name, given))
        error.missing = name
        raise error
    return namespace.bindable(name, given[name])


def _no_value(name: str, given: Mapping[str, Any]) -> str:
    candidates = [other for other, value in given.items() if not (other.startswith("_") or callable(value))]
    return (
        f"The parameter :{name} has no value: there is no Python variable {name!r}. Define it, or run the cell with"
        f" `--param {name}=...`.{did_you_mean(name, candidates, sign=':')}"
    )


def _note_saved_queries(error: ParameterError, statement: Statement) -> None:
    """Say in *error* which saved queries the statement contains: the parameter may be one of theirs."""
    if statement.inserted is not None:
        names = " and ".join(name for name, *_ in statement.inserted.queries)
        error.add_note(f"\nThe statement has the saved {names} in it, whose parameters are bound when it is used.")
