from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from . import checks  # noqa: F401 - they register themselves
from .audit import triggers


class LoyaltyFlowConfig(AppConfig):
    name = "loyaltyflow"
    verbose_name = "System"

    def ready(self) -> None:
        post_migrate.connect(schedule_tick, sender=self)
        post_migrate.connect(triggers.install, sender=self)


def schedule_tick(sender: AppConfig, **kwargs: Any) -> None:
    """Make the one schedule that runs the tick each minute, unless it is there."""
    schedules = sender.apps.get_model("django_q", "Schedule") if sender.apps else None
    if schedules is not None:
        known = {"func": "loyaltyflow.tick.run_now", "schedule_type": "I", "minutes": 1, "repeats": -1}
        schedules.objects.get_or_create(name="The tick", defaults=known)
