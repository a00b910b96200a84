from django.db import models

from .base import Condition


class CustomerField(Condition):
    """A field of the customer has a certain value."""

    class Operator(models.TextChoices):
        IS = "is", "is"
        IS_NOT = "is_not", "is not"
        IS_SET = "is_set", "is known"
        IS_NOT_SET = "is_not_set", "is not known"
        CONTAINS = "contains", "contains"
        STARTS_WITH = "starts_with", "starts with"
        ENDS_WITH = "ends_with", "ends with"
        IN_LIST = "in_list", "is one of"

    field = models.CharField(max_length=30)
    operator = models.CharField(max_length=12, choices=Operator.choices, default=Operator.IS)
    value = models.CharField(max_length=500, blank=True)
