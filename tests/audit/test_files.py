"""Files that staff take out of the house: who took what and how much is in the audit, and no cell is a formula."""

import csv
import io
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.models import Change
from loyaltyflow.store import sheets
from loyaltyflow.store.intake.lists import report, written
from rewards.vouchers import CodePool, RejectedCode, Voucher
from segments.models import Segment
from segments.uploads import RejectedRow, Upload
from tests.till import shop


@pytest.mark.parametrize(
    ("_case", "cell", "safe"),
    [
        ("a sum", "=1+1", "'=1+1"),
        ("a command", "=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("plus", "+SUM(A1)", "'+SUM(A1)"),
        ("minus", "-SUM(A1)", "'-SUM(A1)"),
        ("at", "@SUM(A1)", "'@SUM(A1)"),
        ("a tab before it", "\t=A1", "'\t=A1"),
        ("the end of a line before it", "\r=A1", "'\r=A1"),
        ("a new line before it", "\n=A1", "'\n=A1"),
        ("digits and then a line with a formula", "-1\n=A1", "'-1\n=A1"),
        ("in full width", "＝A1", "'＝A1"),
        ("a phone number", "+1 (617) 555-0117", "+1 (617) 555-0117"),
        ("an amount", "-12.50", "-12.50"),
        ("a name", "O'Hara - Smith", "O'Hara - Smith"),
        ("nothing", "", ""),
    ],
)
def test_no_cell_begins_as_a_formula(_case, cell, safe):
    [row] = csv.reader(io.StringIO(sheets.line([cell, "next"]), newline=""))
    assert row == [safe, "next"]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_within_a_cell_begins_no_cell_of_its_own(end):
    lines = report(written(["name"]), [(2, "Why", written([f"Ann{end}=A1", "x"]))])
    assert list(csv.reader(io.StringIO("".join(lines), newline=""))) == [
        ["line", "reason", "name"],
        ["2", "Why", f"Ann{end}=A1", "x"],
    ]


def test_every_csv_file_that_a_page_sends_is_made_in_one_place():
    sources = [
        path
        for path in Path(settings.BASE_DIR).rglob("*.py")
        if not {"tests", ".venv"} & set(path.relative_to(settings.BASE_DIR).parts)
    ]
    made = {path.relative_to(settings.BASE_DIR).as_posix() for path in sources if '"text/csv' in path.read_text()}
    written_by = {
        path.relative_to(settings.BASE_DIR).as_posix() for path in sources if "csv.writer" in path.read_text()
    }
    assert made == {"loyaltyflow/audit/files.py"}
    assert written_by == {
        "loyaltyflow/store/sheets.py",
        "loyaltyflow/store/intake/files.py",  # the rows that a command refused, to be sent again as they are
    }


def pool_of_two():
    of = shop.off()
    pool = CodePool.objects.create(discount=of, name="Spring", wanted=2, made=2)
    for text in ("A-1", "A-2"):
        Voucher.objects.create(code=text, discount=of, pool=pool, state="free")
    RejectedCode.objects.create(pool=pool, line=3, reason="No code", cells="'=A1")
    return pool


def upload_of_one():
    segment = Segment.objects.create(name="Club", kind=Segment.Kind.STATIC)
    upload = Upload.objects.create(segment=segment, file_name="club.csv", header="email", at=timezone.now())
    RejectedRow.objects.create(upload=upload, line=2, reason="Nobody", cells="nobody")
    return segment, upload


@pytest.mark.django_db
def test_who_took_which_codes_and_how_many_is_in_the_audit(admin_client):
    pool = pool_of_two()
    for name in ("export", "rejected"):
        answer = admin_client.get(reverse(f"admin:rewards_codepool_{name}", args=[pool.pk]))
        assert b"".join(answer.streaming_content)
    taken = Change.objects.filter(action="exported").order_by("pk").values_list("actor", "model", "name", "after")
    assert list(taken) == [
        ("admin", "rewards.codepool", "Codes of Spring", {"rows": 2}),
        ("admin", "rewards.codepool", "Rejected rows of Spring", {"rows": 1}),
    ]


@pytest.mark.django_db
def test_who_took_which_rows_of_a_list_is_in_the_audit(admin_client):
    segment, upload = upload_of_one()
    admin_client.get(reverse("admin:segments_segment_export", args=[segment.pk]))
    admin_client.get(reverse("admin:segments_segment_rejected", args=[segment.pk, upload.pk]))
    taken = Change.objects.filter(action="exported").order_by("pk").values_list("actor", "model", "name", "after")
    assert list(taken) == [
        ("admin", "segments.segment", "Members of Club", {"rows": 0}),
        ("admin", "segments.segment", "Rejected rows of a list for Club", {"rows": 1}),
    ]
