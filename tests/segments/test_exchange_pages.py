"""Export and import in the admin."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from segments.exchange import documents
from segments.exchange.importing import take_in
from segments.models import Segment
from tests import factories
from tests.staff import signed_in

pytestmark = pytest.mark.django_db
LIST, IMPORT = "/segments/segment/", "/segments/segment/import/"
LOCAL = "name: Local / near\nconditions:\n  all_of:\n    - customer_field:\n        value: MA\n"


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("dana"))
    return client


@pytest.fixture
def local(now):
    """The segment of the text above, in a shop with a customer in MA."""
    factories.customer(state="MA")
    [change] = take_in(documents.read(LOCAL), None, now)
    return change.segment


def seen(page):
    return page.context["seen"]


def test_a_segment_is_exported_as_a_file_with_its_name(staff, local):
    answer = staff.get(reverse("admin:segments_segment_yaml", args=[local.pk]))

    assert answer.content.decode() == LOCAL
    assert answer["Content-Disposition"] == 'attachment; filename="Local - near.yaml"'
    assert answer["Content-Type"] == "application/yaml; charset=utf-8"


def test_chosen_segments_are_exported_as_one_file(staff, local):
    other = Segment.objects.create(name="By hand", kind=Segment.Kind.STATIC)

    answer = staff.post(LIST, {"action": "export_chosen", "_selected_action": [local.pk, other.pk]})

    assert answer.content.decode() == f"---\nname: By hand\nkind: static\n---\n{LOCAL}"
    assert answer["Content-Disposition"] == 'attachment; filename="segments.yaml"'


def test_what_an_import_does_is_shown_before_it_is_done(staff, local):
    text = LOCAL.replace("MA", "ZZ") + "---\nname: New\r\nconditions: {made_purchase: {}}\r\n"

    preview = staff.post(IMPORT, {"text": text})

    body = preview.content.decode()
    assert "1 new; 1 changes one that is here: what the file says becomes its unsaved changes." in body
    assert "No customer has the state “ZZ” yet." in body
    assert not Segment.objects.exclude(name="Local / near", draft=None).exists()

    answer = staff.post(IMPORT, {"text": text, "seen": seen(preview)}, follow=True)

    assert answer.redirect_chain == [(LIST, 302)]
    assert "Imported: 1 new; 1 changes one that is here" in answer.content.decode()
    local.refresh_from_db()
    assert (local.draft_changed_by.username, local.is_active) == ("dana", False)
    assert Segment.objects.get(name="New").is_active is False


def test_a_file_is_read_and_its_text_shown(staff):
    file = SimpleUploadedFile("local.yaml", "\ufeff".encode() + LOCAL.encode())

    preview = staff.post(IMPORT, {"file": file, "text": "not this"})

    assert preview.context["form"]["text"].value() == LOCAL
    assert "1 new." in preview.content.decode()
    assert not Segment.objects.exists()


@pytest.mark.parametrize("_case", ["the text", "the segments"])
def test_what_has_changed_since_it_was_shown_is_shown_again(_case, staff):
    preview = staff.post(IMPORT, {"text": LOCAL})
    text = LOCAL.replace("MA", "NH") if _case == "the text" else LOCAL
    if _case == "the segments":
        Segment.objects.create(name="Local / near")
    before = Segment.objects.count()

    again = staff.post(IMPORT, {"text": text, "seen": seen(preview)})

    assert "has changed since you looked" in again.content.decode()
    assert Segment.objects.count() == before
    assert staff.post(IMPORT, {"text": text, "seen": seen(again)}).status_code == 302
    assert Segment.objects.filter(name="Local / near").exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"text": ""}, "Expected at least one segment. Found nothing but empty space and comments."),
        ({"text": "name: A\nkind: fast"}, "Line 2: kind: expected dynamic or static. Found “fast”."),
        ({"text": "name: <b>\nkind: fast\n---\nnam: C"}, "These 2 places have to be mended first:"),
        ({"text": "name: \0"}, "Null characters are not allowed."),
        ({"file": SimpleUploadedFile("a.yaml", b"\xff\xfe")}, "Expected text in UTF-8."),
        ({"file": SimpleUploadedFile("a.yaml", b"x" * 300_000)}, "Expected at most 256 KB."),
    ],
)
def test_faults_are_shown_where_the_text_stands_and_nothing_is_done(given, reason, staff):
    page = staff.post(IMPORT, given)

    assert page.status_code == 200
    assert reason in page.content.decode()
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("may", "export", "bring_in"),
    [
        ((), 403, 403),
        (("view_segment",), 200, 403),
        (("view_segment", "add_segment"), 200, 403),
        (("view_segment", "change_segment"), 200, 403),
        (("view_segment", "add_segment", "change_segment"), 200, 200),
    ],
)
def test_only_those_who_may_see_and_change_segments_do(may, export, bring_in, local):
    client = signed_in(*may)

    assert client.get(reverse("admin:segments_segment_yaml", args=[local.pk])).status_code == export
    assert client.get(IMPORT).status_code == bring_in
    assert client.post(IMPORT, {"text": "name: New"}).status_code == bring_in
    if may:
        assert ("Import …" in client.get(LIST).content.decode()) == (bring_in == 200)


def test_a_segment_that_is_not_there_has_no_file(staff):
    assert staff.get(reverse("admin:segments_segment_yaml", args=[404])).status_code == 404
