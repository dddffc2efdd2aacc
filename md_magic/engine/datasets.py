"""Streams, datasets and scanners of pyarrow as DuckDB reads them, with each batch looked at on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[pa.RecordBatch], None]


def checked(table: Any, applies: Callable[[pa.DataType], bool], check: Check) -> Any:  # noqa: ANN401 - any stream
    """Return *table* such that DuckDB's reading of it fails where *check* raises, if *applies* to a column's type."""
    if not isinstance(table, (pa.RecordBatchReader, ds.Dataset, ds.Scanner)):
        return _Stream(table, check)
    dataset = _Dataset(table, check)
    return dataset if any(map(applies, dataset.schema.types)) else table


class _Dataset(ds.Dataset):  # type: ignore[misc] # pyarrow has no types
    """The rows of a dataset, scanner or reader. DuckDB asks it for columns and filters."""

    def __init__(self, source: Any, check: Check) -> None:  # noqa: ANN401 - without types
        self._source, self._check = source, check

    @property
    def schema(self) -> pa.Schema:
        return self._source.projected_schema if isinstance(self._source, ds.Scanner) else self._source.schema

    def scanner(self, **options: Any) -> _Scanner:  # noqa: ANN401 - `columns`, `filter` and the like
        source = self._source
        if isinstance(source, ds.Dataset):
            return _Scanner(source.scanner(**options), self._check)
        reader = source.to_reader() if isinstance(source, ds.Scanner) else source
        return _Scanner(ds.Scanner.from_batches(reader, **options), self._check)


class _Scanner:
    def __init__(self, scanner: ds.Scanner, check: Check) -> None:
        self._scanner, self._check = scanner, check

    def to_reader(self) -> pa.RecordBatchReader:
        return _reader(self._scanner.to_reader(), self._check)


class _Stream:
    """The rows of whatever else has an Arrow C stream."""

    def __init__(self, table: Any, check: Check) -> None:  # noqa: ANN401 - without types
        self._table, self._check = table, check

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = _reader(pa.RecordBatchReader.from_stream(self._table), self._check)
        return reader.__arrow_c_stream__(requested_schema)


def _reader(source: pa.RecordBatchReader, check: Check) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source:
            check(batch)
            yield batch

    return pa.RecordBatchReader.from_batches(source.schema, batches())
