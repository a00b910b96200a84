from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.none_of import NoneOf

from . import answers, holds


@answers(AllOf)
def all_of(condition, facts, now):
    return all(holds(part, facts, now) for part in condition.parts())


@answers(AnyOf)
def any_of(condition, facts, now):
    return any(holds(part, facts, now) for part in condition.parts())


@answers(NoneOf)
def none_of(condition, facts, now):
    return not any(holds(part, facts, now) for part in condition.parts())
