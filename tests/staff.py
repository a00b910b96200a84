"""Members of staff who may do only some things."""

from django.contrib.auth.models import Permission, User
from django.test import Client


def signed_in(*permissions: str, name: str = "limited") -> Client:
    """The browser of somebody who has these permissions only."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client
