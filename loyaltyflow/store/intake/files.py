"""Rows from a CSV file: streamed, taken in as one transaction, the refused ones written beside it with the reason."""

import csv
import gc
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress, islice
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction

from .base import Context, Intake, Kind, Outcome

BATCH = 20_000
DELIMITERS = ",;\t"
HINT = "look for a quote that is not closed."


class CannotBeRead(Exception):
    """The file as a whole is of no use; the text is one sentence for people."""


@dataclass
class Sheet:
    """An open CSV file whose header has been read."""

    file: BinaryIO
    header: list[str]
    reader: Any
    unreadable: dict[int, str] = field(default_factory=dict)  # why, by line
    first_line: int = 2  # of the rows

    def batches(self) -> Iterator[tuple[list[int], list[list[str]]]]:
        """First line and cells of the next rows, so many at a time; a row without cells is blank or `unreadable`."""
        while True:
            lines: list[int] = []
            rows: list[list[str]] = []
            line = self.reader.line_num + self.first_line
            try:
                for row in islice(self.reader, BATCH):
                    lines.append(line)
                    rows.append(row)
                    line = self.reader.line_num + self.first_line
            except csv.Error as error:
                lines.append(line)
                rows.append([])
                self.unreadable[line] = f"The line cannot be split into cells ({error}); {HINT}"
            if not rows:
                return
            yield lines, rows


@contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """The CSV file with its header read; raises CannotBeRead."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise CannotBeRead(f"{path} cannot be opened: {error.strerror}.") from None
    with file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = text.readline(100_000)
        delimiter = max(DELIMITERS, key=first.count)
        try:
            header = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            header = []
        if not any(header):
            raise CannotBeRead(f"{path} has no first line with the names of the columns.")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        yield Sheet(file, header, reader)


def take_file(
    kind: Kind, path: Path, context: Context, dry_run: bool = False, show: Callable[[int], None] = lambda done: None
) -> Outcome:
    """What became of the file's rows; with `dry_run` nothing is kept. `show` is told how many bytes have been read.

    Raises CannotBeRead. Rows that are refused stand in `rejected_path(path)` afterwards.
    """
    with opened(path) as sheet:
        _check_header(kind, path, sheet.header)
        with transaction.atomic():
            intake = Intake(kind, context)
            with _no_search_for_cycles():
                for lines, table in _tables(sheet, intake.refused):
                    intake.add(lines, table)
                    show(sheet.file.tell())
            outcome = intake.merge()
            transaction.set_rollback(dry_run)
    _write_rejected(path, outcome.refused)
    return outcome


def unknown_columns(kind: Kind, path: Path) -> list[str]:
    """The names in the first line that this kind of file has no use for; raises CannotBeRead."""
    with opened(path) as sheet:
        return [name for name in sheet.header if name and name not in {column.name for column in kind.columns}]


def rejected_path(path: Path) -> Path:
    """Where the refused rows of a file are written: `orders.csv` has `orders.rejected.csv`."""
    return path.with_suffix(".rejected.csv")


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Rows of texts refer to nothing, and looking through millions of them costs as much as reading them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _check_header(kind: Kind, path: Path, header: list[str]) -> None:
    names = [column.name for column in kind.columns]
    known = [name for name in header if name in names]
    if not known:
        raise CannotBeRead(f"{path} has none of the columns of {kind.name}: {', '.join(names)}.")
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise CannotBeRead(f"{path} has the column {', '.join(twice)} more than once.")
    if missing := [column.name for column in kind.columns if column.is_required and column.name not in known]:
        raise CannotBeRead(f"{path} lacks the column {', '.join(missing)}.")


def _tables(sheet: Sheet, refused: dict[int, str]) -> Iterator[tuple[list[int], dict[str, Sequence[str]]]]:
    """The good rows, a batch at a time, column by column; the others go to `refused`."""
    width = len(sheet.header)
    for lines, rows in sheet.batches():
        fits = [len(row) == width for row in rows]
        if not all(fits):
            for line, row, is_good in zip(lines, rows, fits, strict=True):
                if line in sheet.unreadable:
                    refused[line] = sheet.unreadable[line]
                elif row and not is_good:
                    refused[line] = f"The line has {len(row)} cells, the first line has {width}."
            lines, rows = [*compress(lines, fits)], [*compress(rows, fits)]
        if rows:
            yield lines, dict(zip(sheet.header, zip(*rows, strict=True), strict=True))


def _write_rejected(path: Path, refused: dict[int, str]) -> None:
    """Line, reason and original cells of each refused row; a file of an earlier run goes if there are none."""
    if not refused:
        rejected_path(path).unlink(missing_ok=True)
        return
    target = rejected_path(path).open("w", encoding="utf-8", errors="surrogateescape", newline="")
    with opened(path) as sheet, target as file:
        writer = csv.writer(file)
        writer.writerow(["line", "reason", *sheet.header])
        for lines, rows in sheet.batches():
            for line, row in zip(lines, rows, strict=True):
                if line in refused:
                    writer.writerow([line, refused[line], *row])
