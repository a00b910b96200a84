"""Which tables are audited, and what a change of one of their rows is a change of."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.apps import apps
from django.db.models import Model

# Columns that say nothing that anybody decided.
NOISE = ("id", "created_at", "updated_at", "changed_at", "polymorphic_ctype_id")
LIVE = "(SELECT status FROM workflows_revision WHERE id = {}) <> 'draft'"
DRAFT = ("draft_id", "draft_changed_at", "draft_changed_by_id")
WORKFLOW = "(SELECT workflow_id FROM workflows_revision WHERE id = {})"
OF_STEP = "(SELECT revision_id FROM workflows_node WHERE id = {})"


@dataclass(frozen=True)
class Tracked:
    """One table whose changes are written down.

    `owner` (of the model `label`), `name`, `prefix`, `only` and, of new rows, `only_new` are SQL over a row `r`. Parts,
    such as the steps of a workflow, have another object as their owner; `prefix` then says which part it was.
    """

    table: str
    label: str
    pk: str = "id"
    owner: str = "r.id"
    name: str = "''"
    prefix: str = "''"
    only: str = "true"
    only_new: str = "true"
    skip: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    is_part: bool = False


def _whole(label: str, name: str = "name", **more: Any) -> Tracked:
    """A model whose rows are objects of their own."""
    return Tracked(apps.get_model(label)._meta.db_table, label, name=f"r.{name}::text" if name else "''", **more)


def _part(label: str, of: str, owner: str, **more: Any) -> Tracked:
    """A model whose rows are parts of other objects."""
    return Tracked(apps.get_model(label)._meta.db_table, of, owner=owner, is_part=True, **more)


def _objects() -> list[Tracked]:
    """The tables of the models themselves."""
    return [
        _whole("store.storesettings"),
        _whole("rewards.programme", "", skip=("tiers_as_settled",)),
        _whole("rewards.earningrule"),
        _whole("rewards.multiplier"),
        _whole("rewards.tier"),
        _whole("rewards.budget"),
        _whole("rewards.discount", skip=("uses",)),
        _whole("rewards.codepool"),
        # A million codes are made at once; their pool says by whom. What becomes of each is written down.
        _whole("rewards.voucher", "code", skip=("uses", "key", "budget_period"), only_new="r.state <> 'free'"),
        _whole("rewards.adjustmentreason", "title"),
        _whole("rewards.adjustmentlimit", ""),
        _whole("rewards.adjustment", "", skip=("key", "asked_at", "decided_at")),
        _whole("messaging.emailtemplate", skip=("html", "text")),
        _whole("messaging.suppression", "address"),
        # What the refresh notes each minute is nobody's decision; of a draft only its publication counts.
        _whole("segments.segment", skip=("members_now", "fault", "built_at", "built_from", *DRAFT, "saved_by_id")),
        _whole("workflows.workflow"),
        _whole("loyaltyflow.apikey", skip=("last_used_at",), hidden=("digest",)),
        _whole("auth.group"),
        _whole("auth.user", "username", skip=("last_login", "date_joined"), hidden=("password",)),
        _part(
            "store.consent",
            "store.customer",
            "r.customer_id",
            prefix="'consent ' || r.channel || ': '",
            skip=("customer_id", "channel", "given_at"),
        ),
        _part(
            "rewards.standing",
            "store.customer",
            "r.customer_id",
            prefix="'tier by hand: '",
            only="r.reason = 'by_hand'",
            skip=("customer_id", "since", "by_id", "reason", "order_id"),
        ),
        *_steps(),
    ]


def _steps() -> list[Tracked]:
    """The parts of a workflow: its revisions, and the steps and ways of those that are not drafts."""
    source = OF_STEP.format("r.source_id")
    return [
        _part(
            "workflows.revision",
            "workflows.workflow",
            "r.workflow_id",
            prefix="'revision ' || r.number || ': '",
            only="r.status <> 'draft'",
            skip=("workflow_id", "number", "published_by_id"),
        ),
        _part(
            "workflows.node",
            "workflows.workflow",
            WORKFLOW.format("r.revision_id"),
            prefix="'step ' || r.id || ': '",
            only=LIVE.format("r.revision_id"),
        ),
        _part(
            "workflows.edge",
            "workflows.workflow",
            WORKFLOW.format(source),
            prefix="'step ' || r.source_id || ', way ' || r.id || ': '",
            only=LIVE.format(source),
            skip=("source_id",),
        ),
    ]


def tracked() -> list[Tracked]:
    """Every audited table, with those of the models' kinds and of their lists of others."""
    found = _objects()
    known = {each.table: each for each in found}
    for model in apps.get_models():
        own = known.get(model._meta.db_table)
        if own:
            found += _kinds(model, own)
            found += [] if own.is_part else _lists(model, own)
    return found


def _kinds(model: type[Model], base: Tracked) -> Iterator[Tracked]:
    """The tables that hold what only one kind of the model has."""
    for kind in apps.get_models():
        link = kind._meta.get_ancestor_link(model)
        if kind is model or link is None or link.model is not kind or kind._meta.proxy:
            continue
        column = str(link.column)
        more: dict[str, Any] = {
            "table": kind._meta.db_table,
            "pk": column,
            "is_part": True,
            "skip": (*base.skip, column),
        }
        if base.is_part:
            revision = OF_STEP.format(f"r.{column}")
            more |= {"owner": WORKFLOW.format(revision), "only": LIVE.format(revision)}
            more |= {"prefix": f"'step ' || r.{column} || ': '"}
        else:
            more |= {"owner": f"r.{column}", "name": "''"}
        yield replace(base, **more)


def _lists(model: type[Model], own: Tracked) -> Iterator[Tracked]:
    """The tables that say which others belong to an object, such as the permissions of a group."""
    for field in model._meta.local_many_to_many:
        through: Any = field.remote_field.through
        ends: Any = field
        mine = str(through._meta.get_field(ends.m2m_field_name()).column)
        other = str(through._meta.get_field(ends.m2m_reverse_field_name()).column)
        prefix = f"'{field.name}: ' || r.{other} || ' '"
        label = own.label
        yield Tracked(through._meta.db_table, label, owner=f"r.{mine}", prefix=prefix, skip=(mine,), is_part=True)
