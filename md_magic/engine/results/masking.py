"""Keeping a token out of results: MotherDuck's SQL can ask for the token that it was opened with.

Every result of a connection that knows a token is searched, whatever its SQL says: a view, a macro or a prepared
statement need not mention it. What is looked for is the token's signature, and so the whole token as well: without
its signature a token opens nothing, and its other parts are shared with other texts, which stay as they are. What a
person computes from the token on purpose, such as its reverse or its hash, is not found.

Columns that cannot hold text are not looked at. Those that can are searched by Arrow, a batch at a time.
"""

from __future__ import annotations

import pickle
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.auth.secret import MASK, scrub
from md_magic.engine.results.batches import Count, Reader, cast_views, unique_names
from md_magic.sql.split import first_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from md_magic.auth.secret import Secret

PRINTED = f"SELECT '{MASK}' AS motherduck_token"
"""Run in place of the pragma that prints the token: some drivers print it past Python, where it cannot be masked."""

_PRINTS = re.compile(r"(?i)\bPRINT_MD_TOKEN\b")

_SHORTEST = 12
"""Characters: what is shorter is no token, and may stand in ordinary words."""

_STEP = 20_000
"""Python values that are searched before the cell is asked whether it was stopped."""

_NESTED = frozenset({"array", "list", "map", "struct", "union"})

_WITHOUT_TEXT = frozenset(
    {
        *("bit", "boolean", "uuid", "interval"),
        *("bigint", "hugeint", "integer", "smallint", "tinyint"),
        *("ubigint", "uhugeint", "uinteger", "usmallint", "utinyint"),
        *("bignum", "decimal", "double", "float"),
        *("date", "time", "time_ns", "time with time zone", "timestamp with time zone"),
        *("timestamp", "timestamp_ms", "timestamp_ns", "timestamp_s"),
    }
)
"""DuckDB's types, as `DuckDBPyType.id` spells them, whose values are no text."""


def prints(sql: str) -> bool:
    """Whether *sql* is `PRAGMA PRINT_MD_TOKEN`, which has no other use than to show the token."""
    return _PRINTS.search(sql) is not None and first_word(sql) in {"CALL", "PRAGMA"}


class TokenMask:
    """Puts `***` in place of tokens in the values of results."""

    def __init__(self, secrets: Sequence[Secret], *, fragments: bool = False) -> None:
        """Mask the tokens *secrets*; with *fragments*, parts of them too: a typed EXPLAIN breaks texts into lines."""
        texts = [text for secret in secrets if len(text := secret.reveal()) >= _SHORTEST]
        self._needles = tuple(dict.fromkeys(_signature(text) for text in texts))
        self._replaced = sorted({*texts, *self._needles}, key=len, reverse=True)
        self._secrets = tuple(secrets) if fragments else ()

    # ---- Arrow ------------------------------------------------------------------------------------------------------

    def reader(self, reader: Reader) -> Reader:
        """Return the batches of *reader* with tokens masked; *reader* itself where it cannot hold one."""
        names = [self.text(name) for name in reader.schema.names]
        columns = [at for at, field in enumerate(reader.schema) if _arrow_can_hold(field.type)]
        if not columns and names == reader.schema.names:
            return reader
        fields = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
        return _MaskedReader(self, reader, pa.schema(fields), columns)

    def array(self, array: pa.Array) -> pa.Array:
        """Return *array* with tokens masked; *array* itself where it holds none."""
        return self._masked(array) if self._holds(array) else array

    def _holds(self, array: pa.Array) -> bool:
        """Whether *array* may hold a token; it does not where this is false."""
        kind = array.type
        if _is_leaf(kind):
            return bool(self._secrets) or any(_occurs(array, needle) for needle in self._needles)
        return any(_arrow_can_hold(child.type) and self._holds(child) for child in _children(array))

    def _masked(self, array: pa.Array) -> pa.Array:
        kind = array.type
        if _is_leaf(kind):
            return self._masked_leaf(array)
        children = [self.array(child) for child in _children(array)]
        if pa.types.is_dictionary(kind):
            names = pa.array(unique_names(children[0].to_pylist()), type=kind.value_type)
            return pa.DictionaryArray.from_arrays(array.indices, names, ordered=kind.ordered)
        if isinstance(array, pa.ExtensionArray):
            return pa.ExtensionArray.from_storage(kind, children[0])
        if pa.types.is_struct(kind):
            mask = (
                array.is_null() if array.null_count else None
            )  # pyarrow 17 ends the process at a map's entries with one
            return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
        if pa.types.is_union(kind):
            names, codes = [field.name for field in kind], list(kind.type_codes)
            return pa.UnionArray.from_sparse(array.type_codes, children, names, codes)
        own = array.buffers()[: _BUFFERS.get(kind.id, 2)]
        return pa.Array.from_buffers(kind, len(array), own, array.null_count, array.offset, children)

    def _masked_leaf(self, array: pa.Array) -> pa.Array:
        kind = array.type
        if self._secrets or pa.types.is_fixed_size_binary(kind):
            return pa.array([self.value(value) for value in array.to_pylist()], type=kind)
        masked = array
        if _is_view(kind):
            masked = cast_views(array, pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary())
        for text in self._replaced:
            masked = pc.replace_substring(masked, text, MASK)
        return cast_views(masked, kind)

    # ---- Python -----------------------------------------------------------------------------------------------------

    def frame(self, frame: pd.DataFrame, types: Sequence[Any], count: Count | None = None) -> pd.DataFrame:
        """Return *frame*, a result with columns of DuckDB's *types*, with tokens masked and its dtypes as they are."""
        for at, kind in enumerate(types):
            if not _can_hold(kind):
                continue
            column = frame.iloc[:, at]
            if isinstance(column.dtype, pd.CategoricalDtype):
                names = [self.value(name) for name in column.cat.categories]
                if names != list(column.cat.categories):
                    frame.isetitem(at, column.cat.rename_categories(unique_names(names)).array)
            elif changed := self._changed(column.array, count):
                values = column.array.copy() if isinstance(column.dtype, pd.StringDtype) else column.to_numpy(copy=True)
                for position, value in changed.items():
                    values[position] = value
                frame.isetitem(at, pd.Series(values, dtype=column.dtype).array)
        names = [self.value(name) for name in frame.columns]
        if names != list(frame.columns):
            frame.columns = pd.Index(unique_names(names))
        return frame

    def columns(
        self, columns: dict[str, list[Any]], types: Sequence[Any], count: Count | None = None
    ) -> dict[str, list[Any]]:
        """Return *columns*, names and values of DuckDB's *types*, with tokens masked."""
        for values, kind in zip(columns.values(), types, strict=True):
            if _can_hold(kind):
                for position, value in self._changed(values, count).items():
                    values[position] = value
        names = unique_names([self.text(name) for name in columns])
        return dict(zip(names, columns.values(), strict=True))

    def text(self, text: str) -> str:
        """Return *text* with tokens masked."""
        if self._secrets:
            return scrub(text, self._secrets)
        if any(needle in text for needle in self._needles):
            for part in self._replaced:
                text = text.replace(part, MASK)
        return text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any value of a result
        """Return *value*, nested or not, with tokens masked; *value* itself where it holds none."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray):
            text = value.decode("latin-1")  # one character for each byte
            masked = self.text(text)
            return value if masked == text else type(value)(masked.encode("latin-1"))
        if isinstance(value, dict):
            keys, items = [self.value(key) for key in value], [self.value(item) for item in value.values()]
            same = all(map(_is, keys, value)) and all(map(_is, items, value.values()))
            return value if same else dict(zip(keys, items, strict=True))
        if isinstance(value, list | tuple):
            items = [self.value(item) for item in value]
            return value if all(map(_is, items, value)) else type(value)(items)
        if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
            return self._array_value(value)
        return value

    def _array_value(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        changed = {at: new for at, old in enumerate(array.flat) if (new := self.value(old)) is not old}
        if changed:
            array = array.copy()
            for at, value in changed.items():
                array.flat[at] = value
        return array

    def _changed(self, values: Any, count: Count | None) -> dict[int, Any]:  # noqa: ANN401 - list or pandas array
        """Return those of *values* that hold a token, masked, by their position."""
        changed = {}
        for start in range(0, len(values), _STEP):
            if count is not None:
                count(0)  # raises where the cell was stopped
            part = values[start : start + _STEP]
            texts = _texts(part)
            if not (self._occurs_in(part) if texts is None else self._holds(texts)):
                continue
            for position, value in enumerate(part, start):
                if (masked := self.value(value)) is not value:
                    changed[position] = masked
        return changed

    def _occurs_in(self, values: Any) -> bool:  # noqa: ANN401 - list or pandas array
        """Whether a token may be in *values*, nested or not: pickled, which takes a tenth of looking at each."""
        try:
            data = pickle.dumps(values, protocol=pickle.HIGHEST_PROTOCOL)  # text in it is UTF-8, and in one piece
        except (TypeError, ValueError, AttributeError, pickle.PicklingError, RecursionError):
            return True
        needles = (needle.encode(coding) for needle in self._needles for coding in ("utf-8", "utf-32-le"))
        return bool(self._secrets) or any(needle in data for needle in needles)  # the second in an array of numpy's


class _MaskedReader:
    """The batches of a reader, masked."""

    def __init__(self, mask: TokenMask, reader: Reader, schema: pa.Schema, columns: Sequence[int]) -> None:
        """Mask the *columns*, by position, of each batch of *reader*, which gets *schema*."""
        self.schema = schema
        self._mask, self._reader, self._columns = mask, reader, columns

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give one batch after the other."""
        for batch in self._reader:
            arrays = batch.columns
            for at in self._columns:
                arrays[at] = self._mask.array(arrays[at])
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


def masked_types(con: duckdb.DuckDBPyConnection, mask: TokenMask | None) -> list[Any]:
    """Return the types of the open result of *con* where *mask* will want them; else nothing, which costs nothing."""
    return [column[1] for column in con.description] if mask is not None else []


_BUFFERS = {pa.list_(pa.int8(), 1).id: 1, pa.list_view(pa.int8()).id: 3, pa.large_list_view(pa.int8()).id: 3}
"""How many buffers an array of a nested type has itself, where that is not validity and offsets."""


def _signature(token: str) -> str:
    """Return the third part of a JSON Web Token, or all of another one."""
    parts = token.split(".")
    return parts[2] if len(parts) == 3 and len(parts[2]) >= _SHORTEST else token  # noqa: PLR2004 - see above


def _occurs(array: pa.Array, needle: str) -> bool:
    """Whether *needle* is in the bytes of *array*, of text or bytes; it may stand where two values meet.

    All of them are searched as one value, in a fifth of the time that it takes one by one.
    """
    if not (_is_short(array.type) or _is_large(array.type)):
        array = cast_views(array, pa.large_binary())
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return False
    size, letter = (4, "i") if _is_short(array.type) else (8, "q")
    ends = (array.offset, array.offset + len(array))
    start, end = (struct.unpack_from(f"={letter}", offsets, at * size)[0] for at in ends)
    if end - start < len(needle):
        return False
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(struct.pack("=qq", start, end)), data])
    return bool(pc.match_substring_regex(whole, re.escape(needle))[0].as_py())


def _is_leaf(kind: pa.DataType) -> bool:
    """Whether *kind* is text or bytes, in any of Arrow's layouts."""
    return _is_short(kind) or _is_large(kind) or pa.types.is_fixed_size_binary(kind) or _is_view(kind)


def _is_short(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _arrow_can_hold(kind: pa.DataType) -> bool:
    """Whether values of Arrow's *kind* can hold text."""
    if isinstance(kind, pa.BaseExtensionType):
        return _arrow_can_hold(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _arrow_can_hold(kind.value_type)
    return _is_leaf(kind) or any(_arrow_can_hold(kind.field(at).type) for at in range(kind.num_fields))


def _children(array: pa.Array) -> list[pa.Array]:
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return [array.storage]
    if pa.types.is_dictionary(kind):
        return [array.dictionary]
    if pa.types.is_struct(kind) or pa.types.is_union(kind):
        return [array.field(at) for at in range(kind.num_fields)]
    return [array.values] if kind.num_fields else []  # noqa: PD011 - Arrow's own


def _can_hold(kind: Any) -> bool:  # noqa: ANN401 - DuckDB's stubs do not name the type
    """Whether values of DuckDB's *kind* can hold text."""
    if kind.id in _NESTED:
        return any(_can_hold(child) for _, child in kind.children if hasattr(child, "id"))
    return kind.id not in _WITHOUT_TEXT


def _texts(values: Any) -> pa.Array | None:  # noqa: ANN401 - list or pandas array
    """Return *values* as an Arrow array; `None` where they are not text alone."""
    try:
        array = pa.array(values, type=pa.large_string(), from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        return None
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _is(one: object, other: object) -> bool:
    return one is other
