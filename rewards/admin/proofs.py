from django.contrib import admin
from unfold.decorators import display

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import count, moment

from ..models import Proof


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    list_display = ["when", "many_entries", "many_accounts", "took", "found"]
    ordering = ["-at"]
    fields = ["when", "many_entries", "many_accounts", "took", "found", "in_words"]
    readonly_fields = fields

    @display(description="when", ordering="at")
    def when(self, proof: Proof) -> str:
        return moment(proof.at)

    @display(description="points entries", ordering="entries")
    def many_entries(self, proof: Proof) -> str:
        return count(proof.entries)

    @display(description="customers", ordering="accounts")
    def many_accounts(self, proof: Proof) -> str:
        return count(proof.accounts)

    @display(description="took", ordering="seconds")
    def took(self, proof: Proof) -> str:
        return f"{proof.seconds:,.1f} s"

    @display(description="adds up", boolean=True)
    def found(self, proof: Proof) -> bool:
        return not proof.problems

    @display(description="what does not add up")
    def in_words(self, proof: Proof) -> str:
        return "\n".join(proof.problems) or "–"
