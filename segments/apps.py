from django.apps import AppConfig
from django.core.checks import register


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        """Register the system check of the conditions."""
        from .checks import conditions_are_whole  # noqa: PLC0415 (the models are not loaded before)

        register(conditions_are_whole)
