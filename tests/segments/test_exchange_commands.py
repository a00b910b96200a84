from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from segments.models import Segment
from tests import factories

pytestmark = pytest.mark.django_db
LOCAL = "name: Local\nconditions:\n  all_of:\n    - customer_field:\n        value: MA\n"
ASKING = "name: Asking\nconditions:\n  none_of:\n    - in_segment:\n        other: Local\n"


@pytest.fixture
def folder(tmp_path):
    """Two files, of which the first asks for what is in the second; somebody lives in MA."""
    factories.customer(state="MA")
    (tmp_path / "a.yaml").write_text(ASKING)
    (tmp_path / "b.yaml").write_text(LOCAL)
    return tmp_path


def said(*arguments):
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def test_files_are_imported_together_and_exported_again(folder):
    files = sorted(folder.iterdir())

    assert said("import_segments", *files) == "Asking: made, not active.\nLocal: made, not active.\n"
    assert said("import_segments", *files) == "Asking: as it is here already.\nLocal: as it is here already.\n"
    assert list(Segment.objects.values_list("name", "is_active")) == [("Asking", False), ("Local", False)]
    assert said("export_segments") == f"---\n{LOCAL}---\n{ASKING}"
    assert said("export_segments", "Local") == LOCAL


def test_a_change_waits_to_be_saved(folder):
    said("import_segments", *folder.iterdir())
    (folder / "b.yaml").write_text(LOCAL.replace("MA", "ZZ"))

    assert said("import_segments", folder / "b.yaml") == (
        "Local: its changes wait to be saved. No customer has the state “ZZ” yet.\n"
    )
    assert said("export_segments", "Local") == LOCAL


def test_a_dry_run_changes_nothing(folder):
    assert said("import_segments", folder / "b.yaml", "--dry-run") == (
        "Local: made, not active.\nThis was a dry run: nothing was changed.\n"
    )
    assert not Segment.objects.exists()


def test_archived_segments_are_exported_only_by_name(folder):
    said("import_segments", folder / "b.yaml")
    Segment.objects.update(archived_at=timezone.now())

    assert said("export_segments") == ""
    assert said("export_segments", "Local") == LOCAL


def test_faults_of_all_files_are_named_and_nothing_is_done(folder):
    (folder / "a.yaml").write_text("name: A\nkind: fast\n")
    (folder / "b.yaml").write_text("name: [")
    (folder / "c.yaml").write_text("name: C\n")

    with pytest.raises(CommandError) as refused:
        said("import_segments", *sorted(folder.iterdir()))

    first, second = str(refused.value).splitlines()
    assert first == "a.yaml, line 2: kind: expected dynamic or static. Found “fast”."
    assert second.startswith("b.yaml: Line 1 cannot be read: ")
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("_case", "arguments", "reason"),
    [
        ("no file", ["import_segments", "gone.yaml"], "gone.yaml cannot be read: No such file or directory."),
        ("no segment", ["export_segments", "Gone"], "There is no segment “Gone”. Write its name as"),
    ],
)
def test_what_is_not_there_is_named(_case, arguments, reason):
    with pytest.raises(CommandError, match=reason):
        said(*arguments)


def test_a_name_in_two_files_is_refused(folder):
    (folder / "a.yaml").write_text(LOCAL)

    with pytest.raises(CommandError, match="^b.yaml, line 1: “Local” has a place already: a.yaml, line 1. Rename"):
        said("import_segments", *sorted(folder.iterdir()))

    assert not Segment.objects.exists()
