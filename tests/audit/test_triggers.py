"""Whatever path a change takes, the database writes it down once, and for good."""

import pghistory
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyaltyflow.audit import telling, triggers
from loyaltyflow.audit.tracked import tracked
from loyaltyflow.models import ApiKey, Change
from loyaltyflow.store.models import Consent, StoreSettings
from messaging.models import Suppression
from rewards.discounts import Discount
from rewards.models import AdjustmentLimit, AdjustmentReason, Budget, Programme, Tier, Voucher
from segments.models import Segment
from tests import factories
from tests.messaging.world import service
from workflows.models import Revision, Workflow
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.end import End

seen_after_commit = pytest.mark.django_db(transaction=True)


def tier():
    return Tier.objects.create(name="Gold", threshold=500)


def budget():
    return Budget.objects.create(name="Autumn", unit="points", amount=1000)


def reason():
    return AdjustmentReason.objects.create(code="gift", title="A gift")


def limit():
    return AdjustmentLimit.objects.create(group=Group.objects.create(name="Cashiers"), points=500)


def segment():
    return Segment.objects.create(name="Regulars")


def workflow():
    return Workflow.objects.create(name="Welcome", goal="Greet them.")


def key():
    return ApiKey.issue("Till 1", ["orders"])[0]


def blocked():
    return Suppression.objects.create(address="ann@example.com")


def settings():
    return StoreSettings.load()


# What makes a row, the column that is changed, what it is changed to, and how the two values stand in the audit.
MODELS = [
    (settings, "point_value", "0.1", 0.05, 0.1),
    (Programme.load, "approval_above", 500, 1000, 500),
    (tier, "threshold", 600, 500.0, 600.0),
    (budget, "amount", 2000, 1000.0, 2000.0),
    (reason, "title", "A present", "A gift", "A present"),
    (limit, "points", 400, 500, 400),
    (service, "subject", "Points", "News", "Points"),
    (blocked, "reason", "complaint", "staff", "complaint"),
    (segment, "is_active", True, False, True),
    (workflow, "status", "paused", "draft", "paused"),
    (key, "scopes", ["customers"], ["orders"], ["customers"]),
    (lambda: Group.objects.create(name="Cashiers"), "name", "Tills", "Cashiers", "Tills"),
    (lambda: User.objects.create_user("carl"), "is_superuser", True, False, True),
]


def save(row, field, value):
    setattr(row, field, value)
    row.save()


def save_one_field(row, field, value):
    setattr(row, field, value)
    row.save(update_fields=[field])


def update(row, field, value):
    type(row).objects.filter(pk=row.pk).update(**{field: value})


def plain_sql(row, field, value):
    column, table = row._meta.get_field(field).column, row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, row.pk])


def changes():
    """Those since it was asked last."""
    found = list(Change.objects.filter(pk__gt=changes.seen).order_by("pk"))
    changes.seen = max([each.pk for each in found], default=changes.seen)
    return found


@pytest.fixture(autouse=True)
def nothing_seen():
    changes.seen = 0


@seen_after_commit
@pytest.mark.parametrize("path", [save, save_one_field, update, plain_sql])
@pytest.mark.parametrize(("make", "field", "value", "was", "becomes"), MODELS)
def test_no_path_escapes(path, make, field, value, was, becomes):
    StoreSettings.objects.all().delete()  # each new store has them
    changes()
    row = make()
    label = row._meta.label_lower
    [made] = [each for each in changes() if each.model == label]
    assert (made.action, made.object_id, made.before, made.after[field]) == ("added", row.pk, {}, was)

    path(row, field, value)
    [changed] = changes()
    assert (changed.action, changed.model, changed.object_id) == ("changed", label, row.pk)
    assert (changed.before, changed.after) == ({field: was}, {field: becomes})

    path(row, field, value)
    assert changes() == []


@seen_after_commit
def test_what_is_deleted_is_kept_as_it_was():
    gold = tier()
    changes()
    pk = gold.pk
    gold.delete()
    [gone] = changes()
    assert (gone.action, gone.object_id, gone.name, gone.after) == ("deleted", pk, "Gold", {})
    assert (gone.before["name"], gone.before["threshold"]) == ("Gold", 500)


@seen_after_commit
def test_what_one_transaction_does_to_an_object_is_one_change_from_first_to_last():
    gold = tier()
    changes()
    with transaction.atomic():
        Tier.objects.filter(pk=gold.pk).update(threshold=600)
        Tier.objects.filter(pk=gold.pk).update(threshold=700, name="Platinum")
    [change] = changes()
    assert change.before == {"threshold": 500, "name": "Gold"}
    assert change.after == {"threshold": 700, "name": "Platinum"}


@seen_after_commit
def test_what_is_rolled_back_was_never_there():
    gold = tier()
    changes()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Tier.objects.filter(pk=gold.pk).update(threshold=600)
        raise ZeroDivisionError
    assert changes() == []


@seen_after_commit
def test_the_members_of_a_list_are_changes_of_the_one_who_has_it():
    group = Group.objects.create(name="Cashiers")
    first, second = Permission.objects.order_by("pk")[:2]
    group.permissions.add(first)
    changes()
    with transaction.atomic():
        group.permissions.set([second])
    [change] = changes()
    assert (change.model, change.object_id, change.action) == ("auth.group", group.pk, "changed")
    assert change.before == {f"permissions: {first.pk} permission_id": first.pk}
    assert change.after == {f"permissions: {second.pk} permission_id": second.pk}


@seen_after_commit
def test_a_word_of_consent_is_a_change_of_the_customer(now):
    who = factories.customer()
    changes()
    given = factories.consent(who, now)
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.create(customer_id=who.pk + 1, channel="email", status="opted_in", source="x", given_at=now)
        connection.check_constraints()
    Consent.objects.filter(pk=given.pk).update(status="opted_out")
    added, changed = changes()
    assert (added.model, added.object_id, added.action) == ("store.customer", who.pk, "changed")
    assert added.after == {"consent email: status": "opted_in", "consent email: source": "test"}
    assert (changed.before, changed.after) == (
        {"consent email: status": "opted_in"},
        {"consent email: status": "opted_out"},
    )


@seen_after_commit
def test_steps_of_a_live_workflow_are_its_changes_and_those_of_a_draft_are_not():
    flow = workflow()
    draft = Revision.objects.create(workflow=flow)
    gift = AwardPoints.objects.create(revision=draft, points=5, explanation="Hello")
    gift.leads_to(End.objects.create(revision=draft))
    changes()
    AwardPoints.objects.filter(pk=gift.pk).update(points=6)
    assert changes() == []
    Revision.objects.filter(pk=draft.pk).update(status="live")
    [published] = changes()
    assert (published.model, published.object_id) == ("workflows.workflow", flow.pk)
    assert published.after == {"revision 1: status": "live"}

    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflows_awardpoints SET points = 999 WHERE node_ptr_id = %s", [gift.pk])
    gift.edges.update(outlet="other")
    step, way = changes()
    assert (step.object_id, step.before, step.after) == (
        flow.pk,
        {f"step {gift.pk}: points": 6},
        {f"step {gift.pk}: points": 999},
    )
    assert way.model == "workflows.workflow"


@seen_after_commit
def test_secrets_are_not_written_down():
    user = User.objects.create_user("carl", password="a first password")
    one = key()
    changes()
    user.set_password("a second password")
    user.save()
    ApiKey.objects.filter(pk=one.pk).update(digest="0" * 64)
    password, digest = changes()
    assert (password.before, password.after) == ({"password": "•••"}, {"password": "•••"})
    assert digest.after == {"digest": "•••"}


@seen_after_commit
def test_what_nobody_decided_is_not_written_down(now):
    one, regulars, user = key(), segment(), User.objects.create_user("carl")
    changes()
    one.touch(now)
    Segment.objects.filter(pk=regulars.pk).update(members_now=7, built_at=now, fault="no")
    User.objects.filter(pk=user.pk).update(last_login=now)
    assert changes() == []


@seen_after_commit
def test_who_is_behind_it_is_written_down_with_the_role_of_then():
    gold, user = tier(), User.objects.create_user("carl")
    user.groups.set([Group.objects.create(name=name) for name in ("Managers", "Cashiers")])
    changes()
    about = {"user": user.pk, "address": "10.0.0.7", "path": "/rewards/tier/1/change/", "reason": "Autumn"}
    with pghistory.context(**about):
        Tier.objects.filter(pk=gold.pk).update(threshold=600)
    [change] = changes()
    assert (change.user, change.actor, change.role) == (user, "carl", "Cashiers, Managers")
    assert (change.address, change.path, change.reason) == ("10.0.0.7", "/rewards/tier/1/change/", "Autumn")

    Tier.objects.filter(pk=gold.pk).update(threshold=700)
    [change] = changes()
    assert (change.user, change.actor, change.address) == (None, "", "")
    assert change.role.startswith("database: ")


@seen_after_commit
def test_the_audit_can_only_be_added_to():
    tier()
    change = Change.objects.latest("pk")
    change.reason = "Nothing happened"
    for attempt in (change.save, change.delete, Change.objects.all().delete, lambda: Change.objects.update(reason="")):
        with pytest.raises(ValidationError, match="only added to"):
            attempt()
    for statement in (
        "UPDATE loyaltyflow_change SET reason = 'Nothing happened'",
        "DELETE FROM loyaltyflow_change",
        "truncate loyaltyflow_change",  # in small letters: those in capitals are let through in tests
    ):
        with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Change.objects.get(pk=change.pk).reason == ""


@pytest.mark.django_db
def test_what_leaves_the_house_is_written_down():
    telling.exported("segments.segment", "Members of Regulars", 12)
    change = Change.objects.get(action="exported")
    assert (change.model, change.name, change.after) == ("segments.segment", "Members of Regulars", {"rows": 12})


@pytest.mark.django_db
def test_every_audited_table_has_its_triggers_and_the_busy_ones_have_none():
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'audit\\_%'")
        found: dict[str, set[str]] = {}
        for table, name in cursor.fetchall():
            found.setdefault(table, set()).add(name)
    for each in tracked():
        assert found[each.table] >= {f"audit_{each.table}_{event.lower()}"[:63] for event in triggers.EVENTS}
    quick = [
        "entry",
        "lot",
        "draw",
        "account",
        "message",
        "event",
        "enrolment",
        "step",
        "membership",
        "customer",
        "order",
    ]
    busy = {model._meta.db_table for model in apps.get_models() if model._meta.model_name in quick}
    assert len(busy) == len(quick)
    assert busy & set(found) == set()


@pytest.mark.django_db
def test_the_triggers_are_made_once():
    with CaptureQueriesContext(connection) as captured:
        triggers.install(sender=apps.get_app_config("loyaltyflow"))
    assert len(captured) == 2


@seen_after_commit
def test_a_statement_over_many_rows_writes_a_change_for_each(now):
    discount = Discount.objects.create(name="Ten", title="Ten off")
    codes = [Voucher(code=f"C{number}", discount=discount, state="free") for number in range(50)]
    changes()
    Voucher.objects.bulk_create(codes)  # of a pool, which says who made them
    assert changes() == []
    with CaptureQueriesContext(connection) as captured:
        Voucher.objects.update(state="revoked")
    assert len(captured) == 1
    revoked = changes()
    assert {each.name for each in revoked} == {f"C{number}" for number in range(50)}
    assert revoked[0].after == {"state": "revoked"}
