from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        """Register the system check of the conditions, and that a new store gets its first segments."""
        from .checks import conditions_are_whole  # noqa: PLC0415 (the models are not loaded before)
        from .defaults import ship_with_a_new_store  # noqa: PLC0415

        register(conditions_are_whole)
        post_migrate.connect(ship_with_a_new_store)
