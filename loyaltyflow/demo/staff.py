"""Who works in the demo store; nobody can log in as them."""

from django.contrib.auth.models import Group, Permission, User

from rewards.models import AdjustmentLimit

ALONE = 250  # points that clerks may give or take without asking


def hire() -> None:
    """A clerk who sells and gives points, and a manager who decides on what is above her limit."""
    clerks, _is_new = Group.objects.get_or_create(name="Clerks")
    clerks.permissions.add(*_allowed("use_till", "view_adjustment", "add_adjustment", "view_entry"))
    AdjustmentLimit.objects.get_or_create(group=clerks, defaults={"points": ALONE})
    managers, _is_new = Group.objects.get_or_create(name="Managers")
    managers.permissions.add(*_allowed("use_till", "view_adjustment", "approve_adjustment", "view_entry"))
    for username, first, last, group in (("dana", "Dana", "Whitfield", clerks), ("luis", "Luis", "Ortega", managers)):
        known = {"first_name": first, "last_name": last, "is_staff": True, "password": "!"}
        person, _is_new = User.objects.get_or_create(username=username, defaults=known)
        person.groups.add(group)


def _allowed(*names: str) -> list[Permission]:
    return list(Permission.objects.filter(content_type__app_label="rewards", codename__in=names))


def clerk() -> User:
    return User.objects.get(username="dana")


def manager() -> User:
    return User.objects.get(username="luis")
