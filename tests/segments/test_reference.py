"""The page about segments that is written from the types of conditions."""

import re
from io import StringIO

import pytest
from django.core.management import call_command

from loyaltyflow.store.models import StoreSettings
from segments.checks import condition_types
from segments.exchange import documents, reference
from segments.exchange.documents import Refused

pytestmark = pytest.mark.django_db


def test_the_page_is_up_to_date_whatever_the_store_is_called_and_counts_in():
    StoreSettings.objects.update_or_create(
        pk=1, defaults={"state": "NH", "time_zone": "Europe/Berlin", "locale": "de_DE", "currency": "EUR"}
    )

    assert reference.PAGE.read_text() == reference.page(), "Run: manage.py document_segments"
    assert StoreSettings.load().state == "NH"


def test_every_type_and_every_example_stands_on_it():
    text = reference.page()

    for kind in condition_types():
        assert f"`{kind.type_name()}` · " in text
        for example in kind.examples:
            assert f"`{reference._in_a_line(kind, example)}`" in text


def test_every_link_to_a_heading_has_one():
    text = reference.page()
    headings = [reference._anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")]

    assert {*re.findall(r"\]\((#[^)]+)\)", text)} <= {*headings}
    assert len(headings) == len({*headings}), "two headings have the same address"


def test_the_example_of_a_file_can_be_read():
    [text] = re.findall(r"```yaml\n(.*?)```", reference.INTRODUCTION.read_text(), re.DOTALL)

    [document] = documents.read(text)

    assert document.grown().summary().startswith("made at least 1 purchase and made no purchase in the past 21 days")


def test_what_the_page_says_of_values_is_so():
    with pytest.raises(Refused, match="Line 3: .* is not asked for"):
        [document] = documents.read("name: A\nconditions:\n  customer_field: {operator: is_set, value: MA}\n")
        document.grown()


def test_the_command_says_whether_there_was_anything_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("segments.management.commands.document_segments.PAGE", page := tmp_path / "segments.md")
    said, complaint = StringIO(), StringIO()

    with pytest.raises(SystemExit):
        call_command("document_segments", "--check", stdout=said, stderr=complaint)
    assert (page.exists(), complaint.getvalue()) == (
        False,
        "docs/segments.md is out of date. Run: manage.py document_segments\n",
    )
    call_command("document_segments", stdout=said)
    call_command("document_segments", "--check", stdout=said)
    assert said.getvalue() == "docs/segments.md was written.\ndocs/segments.md is up to date.\n"
    assert page.read_text() == reference.page()
