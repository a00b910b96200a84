"""The event catalogue: the built-in types come from a file, staff add their own beside them."""

from pathlib import Path
from typing import Any

import yaml
from django.apps import AppConfig

FILE = Path(__file__).with_name("catalogue.yaml")


def built_in() -> dict[str, dict[str, Any]]:
    """Name, label, properties and `sent_in` of each built-in event type, as the file says them."""
    return dict(yaml.safe_load(FILE.read_text()))


def write(sender: AppConfig, using: str = "default", **kwargs: Any) -> None:
    """Make the rows of the built-in event types agree with the file; types that staff added stay as they are."""
    if sender.apps is None:
        return
    types = sender.apps.get_model("store", "EventType")._default_manager.using(using)
    rows = [
        types.model(
            name=name,
            label=kind["label"],
            properties=kind.get("properties", {}),
            is_sent_in=kind.get("sent_in", False),
            is_built_in=True,
        )
        for name, kind in built_in().items()
    ]
    changed = ["label", "properties", "is_sent_in", "is_built_in"]
    types.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=changed)
