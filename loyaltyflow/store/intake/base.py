"""What every kind of row goes through: cleaned column by column, staged by COPY, merged, and told what became of it."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, ClassVar

from django.db import connection

from loyaltyflow.store.settings import StoreSettings

Table = dict[str, list[str]]
Reasons = dict[int, list[str]]
Memory = dict[Callable[..., str], dict[str, str]]  # what each way of cleaning made of the texts seen so far
REMEMBERED = 200_000
MERGE_LOCK = 4_201_001  # one merge at a time, so that two of them never make the same customer twice


@dataclass(frozen=True)
class Context:
    """What a cell is read with: the moment, the store's clock and country, and who sends the rows."""

    now: datetime
    zone: tzinfo
    country: str
    source: str

    @classmethod
    def of(cls, store: StoreSettings, now: datetime, source: str) -> "Context":
        return cls(now=now, zone=store.zone, country=store.country, source=source)


@dataclass(frozen=True)
class Column:
    """One named cell of a row: how its text is cleaned, and its type in PostgreSQL.

    `clean(text, context)` returns the text that PostgreSQL shall read, or raises ValueError with the reason.
    """

    name: str
    clean: Callable[[str, Context], str]
    help: str
    type: str = "text"
    is_required: bool = False
    example: str = ""

    def clean_all(self, cells: Sequence[str], context: Context, reasons: Reasons, memory: Memory) -> list[str]:
        """The cells as PostgreSQL shall read them; each different text is judged once, and refusals go to `reasons`."""
        known = memory.setdefault(self.clean, {"": ""})
        if len(known) > REMEMBERED:
            known.clear()
        refused: dict[str, str] = {}
        different = set(cells)
        for text in different - known.keys():
            try:
                known[text] = self.clean(_storable(text), context) if text else ""
            except ValueError as error:
                known[text], refused[text] = "", f"{self.name}: {error}"
        if self.is_required:
            empty = {text: f"{self.name} is missing." for text in different if not known[text]}
            refused = empty | refused
        if refused:
            for position, text in enumerate(cells):
                if text in refused:
                    reasons[position].append(refused[text])
        cleaned = list(map(known.__getitem__, cells))
        for text in refused:
            known.pop(text, None)
        return cleaned


def _storable(text: str) -> str:
    """The text without space around it; raises ValueError for what PostgreSQL cannot store."""
    if "\0" in text:
        raise ValueError("has the character NUL in it, which cannot be stored.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has characters that are not UTF-8.") from None
    return text.strip()


@dataclass
class Outcome:
    """What became of the rows: how many were created, updated and unchanged, and why the others were refused."""

    counts: dict[str, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)


class Kind:
    """One kind of row that can be taken in; its columns and its merge are all that differs."""

    name: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    # Rows that share these columns are one thing: if one of them is refused, so are the others.
    together: ClassVar[tuple[str, ...]] = ()

    def check(self, table: Table, context: Context, reasons: Reasons) -> None:
        """Add what only several cells of a row together show; cells may be corrected in place."""

    def merge(self, cursor: Any, context: Context) -> dict[str, int]:
        """The counts after the staged rows were merged into place by a fixed number of statements.

        Refused rows get their `reason` in the staging table, and `statuses` is asked afterwards.
        """
        raise NotImplementedError

    def statuses_sql(self) -> str:
        """A SELECT of line and status of every staged row that was not refused."""
        return "SELECT line, status FROM intake_rows WHERE reason IS NULL"


class Intake:
    """Rows of one kind on their way in. Use it inside a transaction: `add` as often as needed, then `merge` once."""

    def __init__(self, kind: Kind, context: Context) -> None:
        self.kind, self.context = kind, context
        self.refused: dict[int, str] = {}
        self._memory: Memory = {}
        self._names = ["line", *(column.name for column in kind.columns), "reason"]
        columns = ", ".join(f'"{column.name}" {column.type}' for column in kind.columns)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_min_messages = warning")
            cursor.execute("SET LOCAL default_statistics_target = 10")  # enough for the plans of the merge
            cursor.execute("DROP TABLE IF EXISTS intake_rows, intake_people, intake_orders, intake_customers")
            cursor.execute(
                f"CREATE TEMPORARY TABLE intake_rows (line bigint NOT NULL, {columns}, reason text,"
                " status text DEFAULT 'unchanged',"
                " customer bigint) ON COMMIT DROP"
            )

    def add(self, lines: Sequence[int], table: Mapping[str, Sequence[str]]) -> None:
        """Clean the rows, which are given column by column, and stage the good ones."""
        reasons: Reasons = defaultdict(list)
        cleaned: Table = {}
        for column in self.kind.columns:
            cells = table.get(column.name)
            if cells is None and not column.is_required:
                cleaned[column.name] = [""] * len(lines)
                continue
            cells = cells or [""] * len(lines)
            cleaned[column.name] = column.clean_all(cells, self.context, reasons, self._memory)
        self.kind.check(cleaned, self.context, reasons)
        self.stage(lines, cleaned, {position: " ".join(texts) for position, texts in reasons.items()})

    def stage(self, lines: Sequence[int], table: Table, reasons: Mapping[int, str] | None = None) -> None:
        """Copy clean rows into the staging table; of refused ones, only what binds them to others."""
        reasons = reasons or {}
        together = self.kind.together
        blank = [""] * len(lines)
        rows = zip(lines, *(table.get(name, blank) for name in self._names[1:-1]), blank, strict=True)
        good = [row for position, row in enumerate(rows) if position not in reasons] if reasons else rows
        text = io.StringIO()
        csv.writer(text).writerows(good)
        for position, reason in reasons.items():
            self.refused[lines[position]] = reason
            if together and all(table[name][position] for name in together):
                kept = [table[name][position] if name in together else "" for name in self._names[1:-1]]
                csv.writer(text).writerow([lines[position], *kept, reason])
        self.copy(text.getvalue().encode())

    def copy(self, data: bytes, names: Sequence[str] = ()) -> None:
        """Copy CSV without a header, of clean cells in the order of `names`, into the staging table as it is."""
        columns = ", ".join(f'"{name}"' for name in names or self._names)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY intake_rows ({columns}) FROM STDIN (FORMAT csv)") as copy,
        ):
            copy.write(data)

    def merge(self, with_statuses: bool = False) -> Outcome:
        """Put the staged rows into place and return what became of them."""
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE intake_rows")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
            outcome = Outcome(self.kind.merge(cursor, self.context))
            cursor.execute("SELECT line, reason FROM intake_rows WHERE reason IS NOT NULL")
            outcome.refused = dict(cursor.fetchall()) | self.refused
            if with_statuses:
                cursor.execute(self.kind.statuses_sql())
                outcome.statuses = dict(cursor.fetchall())
        outcome.counts["refused"] = len(outcome.refused)
        return outcome
