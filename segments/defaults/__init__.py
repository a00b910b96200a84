"""The segments that a new store finds: not active, and never made again where staff deleted or changed them."""

from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings

from ..exchange.documents import Document, read
from ..exchange.importing import take_in
from ..models import Segment

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
FIRST = ("segments", "0001_initial")


def ship_with_a_new_store(
    plan: Any = (), using: str = DEFAULT_DB_ALIAS, sender: AppConfig | None = None, **signal: Any
) -> None:
    """Make the default segments after the migrations that made the tables of segments, and after no others.

    Every app tells that it was migrated; only after the last of them is everything there that conditions name.
    """
    if sender is not None and sender is not [each for each in apps.get_app_configs() if each.models_module][-1]:
        return
    made_now = {(migration.app_label, migration.name) for migration, is_backwards in plan if not is_backwards}
    if using == DEFAULT_DB_ALIAS and FIRST in made_now and _all_tables_are_there():
        ship()


def described() -> list[Document]:
    """What the files say."""
    return [document for file in FILES for document in read(file.read_bytes(), file.name)]


def ship() -> list[Segment]:
    """The default segments, made just now; one whose name is taken is left out."""
    taken = set(Segment.objects.values_list("name", flat=True))
    new = [document for document in described() if document.segment.name not in taken]
    return [change.segment for change in take_in(new, None, StoreSettings.load().local(timezone.now()))]


def _all_tables_are_there() -> bool:
    """Whether nothing is left to migrate: conditions of other apps have their tables there."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
