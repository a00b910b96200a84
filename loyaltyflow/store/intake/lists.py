"""Lists that staff make by hand and send: CSV files with or without names of columns, and the report of bad rows."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from loyaltyflow.store import sheets

from .files import DELIMITERS, CannotBeRead, Sheet

LONGEST_LINE = 100_000
LONGEST_CELL, MOST_CELLS = 500, 50  # of a row that is kept for the report


@dataclass
class Begun:
    """An open list whose first line is read: it names the columns, or is a row already."""

    file: BinaryIO
    text: io.TextIOWrapper
    line: str
    delimiter: str
    cells: list[str]

    def with_names(self) -> Sheet:
        """The rows below the first line, which names the columns."""
        return Sheet(self.file, self.cells, csv.reader(self.text, delimiter=self.delimiter, strict=True))

    def without_names(self, names: list[str]) -> Sheet:
        """All rows, the first line too; the columns are called as is said."""
        lines = chain([self.line], self.text)
        return Sheet(self.file, names, csv.reader(lines, delimiter=self.delimiter, strict=True), first_line=1)


def begun(file: BinaryIO, one: str) -> Begun:
    """The list, where each line holds one such thing; raises CannotBeRead if the first line is of no use."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    line = text.readline(LONGEST_LINE)
    if "\0" in line:
        raise CannotBeRead("This is not a CSV file. Save the sheet as CSV and send that.")
    delimiter = max(DELIMITERS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise CannotBeRead(f"The first line cannot be split into cells ({error}).") from None
    if not any(cell.strip() for cell in cells):
        raise CannotBeRead(f"The file has nothing in its first line. Put one {one} on each line.")
    return Begun(file, text, line, delimiter, cells)


def report(header: str, rejected: Iterable[tuple[int, str, str]]) -> Iterator[str]:
    """The lines of a CSV file with the rejected rows as they were sent, each after its line and its reason."""
    yield f"line,reason,{header}\r\n"
    for line, reason, sent in rejected:
        yield f"{line},{written([reason])},{sent}\r\n"


def written(row: Sequence[str]) -> str:
    """The row as one line of CSV, without its end, that can be stored."""
    line = sheets.line(cell.replace("\0", "")[:LONGEST_CELL] for cell in row[:MOST_CELLS])
    return line.removesuffix("\r\n").encode("utf-8", "replace").decode()
