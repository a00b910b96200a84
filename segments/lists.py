"""Files that name customers by e-mail address, phone number or external id: read, looked up, put in or taken out.

A file is staged by COPY, so many rows at a time, and its rows are looked up by a fixed number of statements. No
customer is made. What is refused is kept with its reason, so that it can be corrected and sent again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from loyaltyflow.store.intake import Context, cells, who
from loyaltyflow.store.intake.base import Column, Intake, Kind, Memory, Reasons, Table
from loyaltyflow.store.intake.files import Sheet
from loyaltyflow.store.intake.lists import LONGEST_LINE, begun, report, written
from loyaltyflow.store.models import Customer

from . import by_hand
from .models import RejectedRow, Segment, Upload

NAMES = {
    "email": {"email", "e-mail", "mail", "email address", "e-mail address"},
    "phone": {"phone", "phone number", "mobile", "mobile phone", "telephone"},
    "external_id": {"external_id", "external id", "id", "customer id", "customer number", "number"},
    "source": {"source", "system"},
}
LOOKS_LIKE_A_PHONE = re.compile(r"[+(]?\d[\d\s().\-/]{6,}")
QUOTED_FORMULA = re.compile(r"^'(?=[=+\-@\t\r])")

# What another system calls a customer is looked for in every system, unless the file says in which.
NAME = """
WITH RECURSIVE systems (name) AS (
    SELECT min(source) FROM store_externalid
    UNION ALL SELECT (SELECT min(source) FROM store_externalid WHERE source > name) FROM systems WHERE name IS NOT NULL
),
called AS (
    SELECT r.line, min(x.source) AS source, count(DISTINCT x.customer_id) AS people
    FROM intake_rows r CROSS JOIN systems
    JOIN store_externalid x ON x.source = systems.name AND x.external_id = r.external_id
    WHERE r.source IS NULL GROUP BY r.line
)
UPDATE intake_rows r SET source = called.source, reason = CASE WHEN people > 1 THEN
    'Several customers are called “' || r.external_id || '”. Add a column “source” that says in which system.' END
FROM called WHERE called.line = r.line
"""
PEOPLE = "SELECT line, source, external_id, email, phone, NULL::timestamptz FROM intake_rows WHERE reason IS NULL"
FOUND = "UPDATE intake_rows r SET customer = p.customer FROM intake_people p WHERE p.line = r.line"
UNKNOWN = """
UPDATE intake_rows SET reason = 'No customer has the ' || concat_ws(' or the ',
    'number “' || external_id || '”', 'e-mail address “' || email || '”', 'phone number “' || phone || '”') || '.'
WHERE customer IS NULL AND reason IS NULL
"""
AGAIN = """
WITH first AS (SELECT customer, min(line) AS line FROM intake_rows WHERE reason IS NULL GROUP BY customer)
UPDATE intake_rows r SET reason = 'Line ' || first.line || ' names the same customer.'
FROM first WHERE first.customer = r.customer AND first.line <> r.line AND r.reason IS NULL
"""
REJECT = """
INSERT INTO segments_rejectedrow (upload_id, line, reason, cells)
SELECT %s, line, reason, coalesce(cells, '') FROM intake_rows WHERE reason IS NOT NULL
"""
MEANT = "SELECT customer FROM intake_rows WHERE reason IS NULL"


class AsSent(Column):
    """The whole row, kept as it is for the report."""

    def clean_all(self, cells: Sequence[str], context: Context, reasons: Reasons, memory: Memory) -> list[str]:
        return list(cells)


class People(Kind):
    """Customers who are there already, found by external id, then e-mail, then phone."""

    name = "members"
    columns = (
        Column("source", cells.text(40), "The system that external_id is of."),
        Column("external_id", cells.text(120), "What that system calls the customer."),
        Column("email", cells.email, "E-mail address; capitals do not matter."),
        Column("phone", cells.phone, "Phone number; without a country code, of the store's country."),
        AsSent("cells", cells.text(LONGEST_LINE), "The row as it was sent."),
    )

    def check(self, table: Table, context: Context, reasons: Reasons) -> None:
        for position, keys in enumerate(zip(table["external_id"], table["email"], table["phone"], strict=True)):
            if not any(keys) and position not in reasons:
                reasons[position].append("The row names nobody: its e-mail address, phone number and number are empty.")


@dataclass
class List:
    """An open file of customers, and what its columns hold."""

    sheet: Sheet
    columns: dict[str, int]
    width: int


def take(
    segment: Segment, file: BinaryIO, name: str, context: Context, by: AbstractBaseUser | None, takes_out: bool = False
) -> Upload:
    """What became of a file of customers who are put into the static segment, or taken out of it.

    The same file once more changes nothing. Raises CannotBeRead, and ValidationError unless it is filled by hand.
    """
    segment.must_be_filled_by_hand()
    people = opened(file, context)
    Upload.objects.forget(context.now)
    with transaction.atomic():
        upload = Upload.objects.create(
            segment=segment,
            file_name=name[-200:],
            takes_out=takes_out,
            at=context.now,
            by_id=by.pk if by else None,
            header=written(people.sheet.header),
        )
        _stage(people, upload, context)
        _find(upload)
        meant = Customer.objects.filter(pk__in=RawSQL(MEANT, []))
        move = by_hand.take_out if takes_out else by_hand.put_in
        upload.moved = move(segment, meant, context.now, by=str(by) if by else "")
        upload.unchanged = meant.count() - upload.moved
        upload.rejected = upload.rejected_rows.count()
        upload.save(update_fields=["moved", "unchanged", "rejected"])
    return upload


def opened(file: BinaryIO, context: Context) -> List:
    """The file, with what each column holds: by the names in its first line, or by what the cells look like."""
    first = begun(file, "customer")
    row = first.cells
    if known := _named(row):
        return List(first.with_names(), known, len(row))
    guessed = _guessed(row, context)
    names = [next((name for name, at in guessed.items() if at == number), "") for number in range(len(row))]
    return List(first.without_names(names), guessed, len(row))


def _named(row: list[str]) -> dict[str, int]:
    """Which column holds what, by the names in the first line; empty if it has none that we know."""
    names = [cell.strip().lower() for cell in row]
    found = {name: [at for at, each in enumerate(names) if each in words] for name, words in NAMES.items()}
    known = {name: places[0] for name, places in found.items() if places}
    return known if known.keys() - {"source"} else {}


def _guessed(row: list[str], context: Context) -> dict[str, int]:
    """Which column holds what, by the first row: an address, else a phone number, else numbers of another system."""
    for at, cell in enumerate(row):
        if "@" in cell:
            return {"email": at}
    for at, cell in enumerate(row):
        if _is_phone(cell.strip(), context):
            return {"phone": at}
    return {"external_id": 0}


def _is_phone(cell: str, context: Context) -> bool:
    if not LOOKS_LIKE_A_PHONE.fullmatch(cell):
        return False
    try:
        cells.phone(cell, context)
    except ValueError:
        return False
    return True


def _stage(people: List, upload: Upload, context: Context) -> None:
    """Clean the rows and stage the good ones; keep the others with the reason."""
    intake = Intake(People(), context)
    for lines, rows in people.sheet.batches():
        rejected, good = _split(people, lines, rows)
        sent = {line: written(row) for line, row in zip(lines, rows, strict=True)}
        columns = {
            name: [QUOTED_FORMULA.sub("", row[at]) for row in good.values()] for name, at in people.columns.items()
        }
        columns["cells"] = [sent[line] for line in good]
        intake.add([*good], columns)
        rejected |= intake.refused
        intake.refused.clear()
        found = (RejectedRow(upload=upload, line=line, reason=why, cells=sent[line]) for line, why in rejected.items())
        RejectedRow.objects.bulk_create(found, batch_size=5_000)


def _split(people: List, lines: list[int], rows: list[list[str]]) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Why some rows are no rows of this file, and the others, by their lines; blank lines are neither."""
    rejected, good = {}, {}
    for line, row in zip(lines, rows, strict=True):
        if line in people.sheet.unreadable:
            rejected[line] = people.sheet.unreadable[line]
        elif len(row) == people.width:
            good[line] = row
        elif row:
            rejected[line] = f"The line has {len(row)} cells, the first line has {people.width}."
    return rejected, good


def _find(upload: Upload) -> None:
    """Look up the customer of each staged row; keep the rows without one, and those that name one again."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE intake_rows")
        cursor.execute(NAME)
        who.find(cursor, PEOPLE)
        for statement in (FOUND, UNKNOWN, AGAIN):
            cursor.execute(statement)
        cursor.execute(REJECT, [upload.pk])


def rejected_rows(upload: Upload) -> Iterator[str]:
    """The lines of a CSV file with the rejected rows as they were sent, each after its line and its reason."""
    return report(upload.header, upload.rejected_rows.values_list("line", "reason", "cells").iterator())
