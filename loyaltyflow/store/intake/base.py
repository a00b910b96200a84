"""What every kind of row goes through: cleaned column by column, staged by COPY, merged, and told what became of it."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import compress
from typing import Any, ClassVar

from django.db import connection

from loyaltyflow.store.settings import StoreSettings

Table = dict[str, list[str]]
Reasons = dict[int, list[str]]
Memory = dict[Callable[..., str], dict[str, str]]  # what each way of cleaning made of the texts seen so far
REMEMBERED = 200_000
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
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
        is_clean = all(known[text] == text for text in different)
        cleaned = list(cells if is_clean else map(known.__getitem__, cells))
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


def _as_text(table: Table) -> bytes:
    """The rows as COPY reads them: tabs between the cells, and nothing for an empty one."""
    columns = map(_escaped, table.values())
    return "".join([f"{row}\n" for row in map("\t".join, zip(*columns, strict=True))]).encode()


def _escaped(cells: list[str]) -> list[str]:
    everything = "".join(cells)
    if any(mark in everything for mark in "\\\t\n\r"):
        return [cell.translate(ESCAPES) for cell in cells]
    return cells


@dataclass
class Outcome:
    """What became of the rows: how many were created, updated and unchanged, and why the others were refused."""

    counts: dict[str, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    bystanders: set[int] = field(default_factory=set)  # refused for no fault of their own, but of a row they belong to
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
        columns = ", ".join(f'"{column.name}" {column.type}' for column in kind.columns)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_min_messages = warning")
            cursor.execute("SET LOCAL default_statistics_target = 10")  # enough for the plans of the merge
            cursor.execute("DROP TABLE IF EXISTS intake_rows, intake_people, intake_orders, intake_customers")
            cursor.execute(
                f"CREATE TEMPORARY TABLE intake_rows (line bigint NOT NULL, {columns}, reason text, because_of bigint,"
                " status text DEFAULT 'unchanged',"
                " customer bigint) ON COMMIT DROP"
            )

    def add(self, lines: Sequence[int], table: Mapping[str, Sequence[str]]) -> None:
        """Clean the rows, which are given column by column, and stage the good ones."""
        reasons: Reasons = defaultdict(list)
        cleaned: Table = {}
        blank = [""] * len(lines)
        for column in self.kind.columns:
            if column.name in table or column.is_required:
                cells = table.get(column.name, blank)
                cleaned[column.name] = column.clean_all(cells, self.context, reasons, self._memory)
            else:
                cleaned[column.name] = blank.copy()
        self.kind.check(cleaned, self.context, reasons)
        self._stage(lines, cleaned, {position: " ".join(texts) for position, texts in reasons.items()})

    def _stage(self, lines: Sequence[int], table: Table, reasons: Mapping[int, str]) -> None:
        """Copy the clean rows into the staging table; of refused ones, only what binds them to others."""
        filled = {"line": [*map(str, lines)]} | {name: cells for name, cells in table.items() if any(cells)}
        if not reasons:
            self.copy(_as_text(filled), list(filled))
            return
        self.refused |= {lines[position]: reason for position, reason in reasons.items()}
        good = [position not in reasons for position in range(len(lines))]
        self.copy(_as_text({name: [*compress(cells, good)] for name, cells in filled.items()}), list(filled))
        together = self.kind.together
        if bound := [at for at in reasons if together and all(table[name][at] for name in together)]:
            kept = {name: [filled[name][at] for at in bound] for name in ("line", *together)}
            kept["reason"] = [reasons[at] for at in bound]
            self.copy(_as_text(kept), list(kept))

    def copy(self, data: bytes, names: Sequence[str]) -> None:
        """Copy clean cells, with tabs between them and nothing for none, into these columns of the staging table."""
        columns = ", ".join(f'"{name}"' for name in names)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY intake_rows ({columns}) FROM STDIN (NULL '')") as copy,
        ):
            copy.write(data)

    def merge(self, with_statuses: bool = False) -> Outcome:
        """Put the staged rows into place and return what became of them."""
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE intake_rows")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
            outcome = Outcome(self.kind.merge(cursor, self.context))
            cursor.execute("SELECT line, reason, because_of FROM intake_rows WHERE reason IS NOT NULL")
            found = cursor.fetchall()
            outcome.refused = {line: reason for line, reason, _ in found} | self.refused
            outcome.bystanders = {line for line, _, because_of in found if because_of is not None}
            if with_statuses:
                cursor.execute(self.kind.statuses_sql())
                outcome.statuses = dict(cursor.fetchall())
        outcome.counts["refused"] = len(outcome.refused)
        return outcome
