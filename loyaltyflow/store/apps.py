from django.apps import AppConfig
from django.db.models.signals import post_migrate

from . import catalogue


class StoreConfig(AppConfig):
    name = "loyaltyflow.store"
    label = "store"
    verbose_name = "Store"

    def ready(self) -> None:
        post_migrate.connect(catalogue.write, sender=self)
