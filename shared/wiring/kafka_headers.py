"""Makes aiokafka read records whose header names are no UTF-8: as it comes, such a record ends every read of its topic.

Kafka takes any bytes as a header's name. aiokafka's decoding of one that is no text raises in the middle of a batch,
before anything of ours has seen the record, and the batch is fetched again for ever. Here the batch is read once more
by aiokafka's own Python code, with each byte that is no text as a lone surrogate, which nobody takes for a name.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def read_any_header() -> None:
    """Let every consumer of this process read such records. May be called again."""
    fetcher.MemoryRecords = TolerantRecords


class TolerantRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """What one fetch brought of one partition: batches in their usual, compiled form, each with its second reading."""

    def next_batch(self) -> Any:
        """Return the next batch, None where there is no more."""
        raw = self._next_slice
        batch = super().next_batch()
        return batch if batch is None else _Batch(batch, raw)


class _Batch:
    """A batch as aiokafka reads it, until it fails."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(_read_again(self._raw), read, None)


def _read_again(raw: memoryview) -> Iterator[Any]:
    batch: Any = _DefaultRecordBatchPy(raw)
    records: Iterator[Any] = iter(batch)  # decompresses
    batch._buffer = _Lenient(batch._buffer)
    return records


class _Lenient(bytearray):
    """Bytes that decode whatever they are, and so do their slices."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Lenient(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return text, from which the bytes can be told even where they are none."""
        return super().decode(encoding, "surrogateescape")
