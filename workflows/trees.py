"""Copies of condition trees, for a new draft of a workflow."""

from django.db import models

from segments.conditions import Condition

from .nodes.base import Node


def copied_tree(condition: Condition, parent: Condition | None = None) -> Condition:
    """The top of a copy of the condition and of everything below it."""
    skipped = {"id", "polymorphic_ctype", "tree", "parent"}
    own = [each for each in condition._meta.concrete_fields if each.name not in skipped and not each.primary_key]
    values = {each.attname: getattr(condition, each.attname) for each in own}
    copy: Condition = type(condition).objects.create(**values, parent=parent)
    for part in condition.parts():
        copied_tree(part, copy)
    return copy


def refer_to(condition: Condition, copies: dict[int, Node]) -> None:
    """Let every question in the tree about a step (by its old id) mean the step's copy."""
    for field in condition._meta.concrete_fields:
        asks_for_a_step = isinstance(field, models.ForeignKey) and issubclass(field.related_model, Node)
        if asks_for_a_step and getattr(condition, field.attname) in copies:
            setattr(condition, field.name, copies[getattr(condition, field.attname)])
            condition.save(update_fields=[field.name])
    for part in condition.parts():
        refer_to(part, copies)
