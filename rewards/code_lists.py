"""Files of codes that another system made: each row brings a code of a new pool, or is kept with the reason why not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from loyaltyflow.store.intake import Context
from loyaltyflow.store.intake.cells import shown
from loyaltyflow.store.intake.files import CannotBeRead, Sheet
from loyaltyflow.store.intake.lists import begun, report, written
from segments.comparisons.dates import midnight

from .codes import READ_AS
from .discounts.base import Discount
from .vouchers import IS_A_CODE, CodePool

CODE = {"code", "codes", "voucher", "voucher code", "voucher_code", "coupon", "coupon code", "coupon_code"}
EXPIRES = {"expires", "expires_on", "expires on", "valid_through", "valid through", "valid until"}
LONGEST = 40
_code = re.compile(IS_A_CODE)

STAGE = """
CREATE TEMPORARY TABLE code_rows (
    line bigint NOT NULL, code text, key text, expires_at timestamptz, cells text, reason text
) ON COMMIT DROP
"""
KEYS = "UPDATE code_rows SET key = translate(code, %s, %s) WHERE reason IS NULL"
AGAIN = """
WITH first AS (SELECT DISTINCT ON (key) key, line, code FROM code_rows WHERE reason IS NULL ORDER BY key, line)
UPDATE code_rows r SET reason = CASE WHEN first.code = r.code THEN 'Line ' || first.line || ' has the same code.'
    ELSE 'Line ' || first.line || ' has “' || first.code || '”, which is read as the same code.' END
FROM first WHERE first.key = r.key AND first.line <> r.line AND r.reason IS NULL
"""
THERE = """
UPDATE code_rows r SET reason = CASE WHEN v.code = r.code THEN 'The code is there already, for “' || d.name || '”.'
    ELSE '“' || v.code || '” of “' || d.name || '” is read as the same code.' END
FROM rewards_voucher v JOIN rewards_discount d ON d.id = v.discount_id
WHERE v.key = r.key AND r.reason IS NULL
"""
# What came into being since is told by its absence: it is asked for once more afterwards.
ADD = """
INSERT INTO rewards_voucher (code, discount_id, pool_id, state, expires_at)
SELECT code, %s, %s, 'free', expires_at FROM code_rows WHERE reason IS NULL ORDER BY line
ON CONFLICT DO NOTHING
"""
LATE = """
UPDATE code_rows r SET reason = 'The code is there already.'
WHERE r.reason IS NULL AND NOT EXISTS (SELECT FROM rewards_voucher v WHERE v.key = r.key AND v.pool_id = %s)
"""
REJECT = """
INSERT INTO rewards_rejectedcode (pool_id, line, reason, cells)
SELECT %s, line, reason, cells FROM code_rows WHERE reason IS NOT NULL
"""


@dataclass
class List:
    """An open file of codes, and which columns hold what."""

    sheet: Sheet
    code: int
    expires: int | None
    width: int


def take(
    discount: Discount, name: str, file: BinaryIO, file_name: str, context: Context, by: AbstractBaseUser | None
) -> CodePool:
    """A new pool with the codes of the file. Raises CannotBeRead, and IntegrityError if the name is a pool's."""
    listed = opened(file)
    with transaction.atomic():
        pool = CodePool.objects.create(
            discount=discount,
            name=name,
            is_imported=True,
            file_name=file_name[-200:],
            header=written(listed.sheet.header),
            created_by_id=by.pk if by else None,
        )
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS code_rows")
            cursor.execute(STAGE)
            _stage(listed, context)
            cursor.execute("ANALYZE code_rows")
            cursor.execute(KEYS, READ_AS)
            cursor.execute(THERE)
            cursor.execute(AGAIN)
            cursor.execute(ADD, [discount.pk, pool.pk])
            pool.wanted = pool.made = int(cursor.rowcount)
            cursor.execute(LATE, [pool.pk])
            cursor.execute(REJECT, [pool.pk])
            pool.rejected = int(cursor.rowcount)
        pool.save(update_fields=["wanted", "made", "rejected"])
    return pool


def opened(file: BinaryIO) -> List:
    """The file, with its column of codes: the one that is called so, or the only one. Raises CannotBeRead."""
    first = begun(file, "code")
    row = first.cells
    names = [cell.strip().lower() for cell in row]
    code = next((at for at, each in enumerate(names) if each in CODE), None)
    if code is None and len(filled := [each for each in row if each.strip()]) > 1:
        found = f"It has {len(filled)} columns, and none is called “code”: {', '.join(map(shown, filled[:4]))}."
        raise CannotBeRead(f"{found} Name the columns in its first line, or send the codes alone, one a line.")
    if code is None:
        return List(first.without_names(["code", *[""] * (len(row) - 1)]), 0, None, len(row))
    expires = next((at for at, each in enumerate(names) if each in EXPIRES), None)
    return List(first.with_names(), code, expires, len(row))


def _stage(listed: List, context: Context) -> None:
    """Put every row into the staging table, the bad ones with the reason."""
    for lines, rows in listed.sheet.batches():
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY code_rows (line, code, expires_at, cells, reason) FROM STDIN") as copy,
        ):
            for line, row in zip(lines, rows, strict=True):
                if row or line in listed.sheet.unreadable:
                    copy.write_row((line, *_read(listed, line, row, context)))


def _read(listed: List, line: int, row: list[str], context: Context) -> tuple[str | None, object, str, str | None]:
    """Code, end, the row as it was sent, and why it cannot be taken."""
    try:
        if line in listed.sheet.unreadable:
            raise ValueError(listed.sheet.unreadable[line])
        if len(row) != listed.width:
            raise ValueError(f"The line has {len(row)} cells, the first line has {listed.width}.")
        expires = "" if listed.expires is None else row[listed.expires].strip()
        return _code_of(row[listed.code]), _end_of(expires, context), written(row), None
    except ValueError as error:
        return None, None, written(row), str(error)


def _code_of(cell: str) -> str:
    code = "".join(cell.upper().split())
    if not code:
        raise ValueError("The row has no code.")
    if len(code) > LONGEST:
        raise ValueError(f"The code has {len(code):,} signs; at most {LONGEST} fit.")
    if not _code.fullmatch(code):
        sent = cell.encode("utf-8", "replace").decode().replace("\0", "")
        raise ValueError(f"{shown(sent)} is not a code of letters A to Z and digits, with - _ or . between them.")
    return code


def _end_of(cell: str, context: Context) -> object:
    """The midnight after the day, on the store's clock."""
    if not cell:
        return None
    try:
        return midnight(date.fromisoformat(cell), context.zone, 1)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(cell)} is not a day such as 2026-12-31.") from None


def rejected_rows(pool: CodePool) -> Iterator[str]:
    """The lines of a CSV file with the rejected rows as they were sent, each after its line and its reason."""
    return report(pool.header, pool.rejected_rows.values_list("line", "reason", "cells").iterator())
