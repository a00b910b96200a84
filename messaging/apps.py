from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messaging"

    def ready(self) -> None:
        """Make every app's variables known, each `values` module, and have segments told whom e-mail reaches."""
        from segments.counting import worth_knowing  # noqa: PLC0415 (the models are not loaded before)

        from .conditions import ReachableBy  # noqa: PLC0415

        autodiscover_modules("values")
        worth_knowing["can be sent e-mail"] = ReachableBy().q
