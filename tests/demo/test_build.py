"""What a second run of the demo leaves alone."""

import pytest
from django.core.management import CommandError
from django.utils import timezone

from loyaltyflow import demo
from loyaltyflow.demo import programme
from loyaltyflow.store.models import StoreSettings
from tests import factories
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def test_a_second_run_keeps_what_was_changed_since_the_first() -> None:
    programme.name_the_store(StoreSettings.load())
    programme.set_up(StoreSettings.load().local(timezone.now()))
    StoreSettings.objects.update(name="Corner Shop", time_zone="Europe/Berlin")
    Workflow.objects.update(goal="Another goal")

    demo.build(print)

    store = StoreSettings.load()
    assert (store.name, store.time_zone, store.is_demo) == ("Corner Shop", "Europe/Berlin", True)
    assert set(Workflow.objects.values_list("goal", flat=True)) == {"Another goal"}


def test_the_demo_does_not_move_into_a_store_of_somebodys_own() -> None:
    factories.customer()

    with pytest.raises(CommandError, match="customers that are not the demo's"):
        demo.build(print)

    assert not StoreSettings.load().is_demo
