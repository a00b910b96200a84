"""The addresses by which customers get rewards for points, and give them back."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from rewards import till
from rewards.till import outcomes

from . import asked
from .describing import described
from .views import Said, TillView, number_in


@described("take_reward", "Take a reward for points", asked.RewardAsked)
class RewardsView(TillView):
    """Pay points for one of the offers that the look-up told; the customer gets a code of their own."""

    def post(self, request: Request) -> HttpResponse:
        return self.answer(request, asked.RewardAsked, self.take)

    def take(self, said: Said, now: datetime) -> dict[str, Any]:
        taken = till.exchange(
            said["reward"],
            said["external_id"],
            now,
            customer=said["customer"],
            source=self.key.source,
            store_location=said.get("store", ""),
            till=said.get("till", ""),
        )
        return outcomes.exchanged(taken)


@described("cancel_reward", "Give a reward back", asked.CancelAsked)
class RewardView(TillView):
    """Undo it as long as its code is unused: the points go back to where they came from, the code is revoked."""

    def post(self, request: Request, external_id: str) -> HttpResponse:
        return self.answer(request, asked.CancelAsked, lambda said, now: self.cancel(number_in(external_id), now))

    def cancel(self, number: str, now: datetime) -> dict[str, Any]:
        return outcomes.exchanged(till.cancel_exchange(number, now, source=self.key.source))
