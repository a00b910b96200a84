"""Conditions about what a customer's own walk through the workflow has brought so far."""

from django.db import models

from segments.conditions import Condition


class GotMessage(Condition):
    """Has received the e-mail of an earlier step of this workflow."""

    step = models.ForeignKey("workflows.SendEmail", on_delete=models.PROTECT, related_name="+")


class BoughtSince(Condition):
    """Has bought since an earlier step of this workflow, or since entering it."""

    step = models.ForeignKey("workflows.Node", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
