"""What each type of condition must say about itself."""

from typing import Any

from django.core.checks import CheckMessage, Error

from .conditions import Condition

DUTIES = ("q", "flips", "phrase", "seen")


def condition_types(base: type[Condition] = Condition) -> list[type[Condition]]:
    """Every type of condition that has rows, of whichever app, in the order of their names."""
    kinds = {kind for each in base.__subclasses__() for kind in [each, *condition_types(each)]}
    return sorted((kind for kind in kinds if not kind._meta.abstract), key=lambda kind: kind._meta.verbose_name)


def conditions_are_whole(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """An error for each thing that a type of condition leaves unsaid."""
    return [
        Error(
            f"{kind.__name__} has no {missing}.", hint="See segments/conditions/base.py.", obj=kind, id="segments.E001"
        )
        for kind in condition_types()
        for missing in unsaid(kind)
    ]


def unsaid(kind: type[Condition]) -> list[str]:
    """What the type takes over from Condition although it has to say it itself."""
    missing = [f"{name}()" for name in DUTIES if getattr(kind, name) is getattr(Condition, name)]
    missing += [name for name in ("icon", "shelf") if getattr(kind, name) == getattr(Condition, name)]
    if not kind.examples and not kind.takes_parts:
        missing.append("examples")
    if not (kind.__doc__ or "").strip() or (kind.__doc__ or "").startswith(f"{kind.__name__}("):
        missing.append("docstring")
    return missing
