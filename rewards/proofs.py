from django.contrib.postgres.fields import ArrayField
from django.db import models

from loyaltyflow.words import number


class Proof(models.Model):
    """One look at the whole ledger: when, how much of it, and what did not add up."""

    at = models.DateTimeField(unique=True)
    seconds = models.FloatField()
    entries = models.PositiveBigIntegerField()
    accounts = models.PositiveBigIntegerField()
    problems = ArrayField(models.TextField(), default=list, help_text="A sentence for each; not more than 1,000.")

    class Meta:
        verbose_name = "ledger proof"
        ordering = ["-at"]
        get_latest_by = "at"

    def __str__(self) -> str:
        return f"{self.entries:,} entries, {len(self.problems):,} problems"

    @property
    def said(self) -> str:
        """What was proved, as a sentence."""
        what = f"{number(self.entries, 'entry', 'entries')} of {number(self.accounts, 'customer')}"
        if self.problems:
            return f"The ledger does not add up: {number(len(self.problems), 'problem')} in {what}."
        return f"The ledger adds up: {what}, I1 to I9 hold (proved in {self.seconds:,.1f} s)."
