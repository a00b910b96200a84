from django.apps import AppConfig


class StoreConfig(AppConfig):
    name = "loyaltyflow.store"
    label = "store"
    verbose_name = "Store"
