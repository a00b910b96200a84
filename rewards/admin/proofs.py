from django.contrib import admin
from unfold.decorators import display

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import moment

from ..models import Proof


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    list_display = ["when", "entries", "accounts", "seconds", "found"]
    ordering = ["-at"]
    fields = ["when", "entries", "accounts", "seconds", "found", "in_words"]
    readonly_fields = fields

    @display(description="when", ordering="at")
    def when(self, proof: Proof) -> str:
        return moment(proof.at)

    @display(description="adds up", boolean=True)
    def found(self, proof: Proof) -> bool:
        return not proof.problems

    @display(description="what does not add up")
    def in_words(self, proof: Proof) -> str:
        return "\n".join(proof.problems) or "–"
