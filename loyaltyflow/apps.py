from django.apps import AppConfig


class LoyaltyFlowConfig(AppConfig):
    name = "loyaltyflow"
    verbose_name = "System"
