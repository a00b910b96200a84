"""Every address of the product, for everybody who must not read or change what is there.

The addresses come from the URLconf, so a new page is asked for here without a word.
"""

import pytest
from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from loyaltyflow.store.admin.base import FormAdmin
from tests.staff import signed_in
from tests.till import shop

from .everything import addresses, built

pytestmark = pytest.mark.django_db
# What is written down because somebody looked: that a file was taken.
ON_LOOKING = ["loyaltyflow_change"]
# What everybody may open.
OPEN_TO_ALL = {"/api/v1/docs/", "/api/v1/schema", "/login/"}
# What everybody who signs in may open: no fact of the shop stands there.
OPEN_TO_STAFF = {*OPEN_TO_ALL, "/", "/jsi18n/", "/password_change/", "/password_change/done/", "/search/"} - {"/login/"}
# Whose pages come with Django and its packages.
OTHERS = {"auth", "django_q"}
OURS = "Zoe"  # a customer's name
# What a form could say that changes, adds or deletes something, whatever the page.
FORM = {
    "action": "delete_selected",
    "_selected_action": "1",
    "post": "yes",
    "_save": "Save",
    "name": "Changed",
    "title": "Changed",
    "reason": "Because",
    "points": "5",
    "customer": "1",
    "other": "2",
    "is_active": "on",
    "verdict": "approve",
}


@pytest.fixture(autouse=True)
def store(settings, tmp_path, now):
    settings.EMAIL_FILE_PATH = str(tmp_path)
    built(now)


def asked(client, **form):
    """What each address answers: to a form that is sent, if there is one."""
    send = client.post if form else client.get
    answers = {address: send(address, form) if form else send(address) for address in addresses()}
    assert len(answers) > 400
    return answers


def opened(answers):
    """The addresses that showed anything. None broke down; who is signed out was sent to sign in, or told so."""
    assert not [address for address, answer in answers.items() if answer.status_code >= 500]
    return {address for address, answer in answers.items() if answer.status_code == 200}


def telling(answers):
    """The addresses whose answers name a customer."""
    return {
        address
        for address, answer in answers.items()
        if not answer.streaming and OURS in answer.content.decode(errors="replace")
    }


def test_who_has_not_signed_in_reaches_nothing():
    before, nobody = shop.dump(), Client()
    answers = asked(nobody)
    assert opened(answers) == OPEN_TO_ALL
    assert opened(asked(nobody, **FORM)) == {"/login/"}
    elsewhere = {
        address: answer.status_code
        for address, answer in answers.items()
        if answer.status_code not in (200, 401) and not getattr(answer, "url", "").startswith("/login/")
    }
    assert elsewhere == dict.fromkeys(["/t/o/1", "/t/c/1/1", "/t/u/1", "/t/1"], 404)  # customers', by a token
    assert shop.dump() == before


def test_who_may_use_the_till_only_sees_that_and_changes_nothing_elsewhere():
    client = signed_in("use_till")
    before = shop.dump()
    answers = asked(client)
    assert opened(answers) == OPEN_TO_STAFF | {"/till/"}
    assert telling(answers) == set()
    assert opened(asked(client, **FORM)) <= OPEN_TO_STAFF | {"/till/", "/login/"}
    assert shop.dump() == before


def test_who_may_look_at_everything_changes_nothing():
    looking = Permission.objects.filter(codename__startswith="view_").values_list("codename", flat=True)
    client = signed_in(*looking)
    answers = asked(client)
    assert len(opened(answers)) > 100
    assert telling(answers) > {"/store/customer/", "/rewards/adjustment/"}
    before = shop.dump(*ON_LOOKING)
    asked(client, **FORM)
    assert shop.dump(*ON_LOOKING) == before


@pytest.mark.parametrize("said", ["²", "-1", "9" * 30, "\0", "2026-02-30", "{", "1,²"])
def test_a_form_to_add_something_opens_whatever_its_address_fills_in(client, said):
    client.force_login(User.objects.create_superuser("root"))
    for model, page in admin.site._registry.items():
        assert isinstance(page, FormAdmin) or model._meta.app_label in OTHERS, model
        names = [field.name for field in model._meta.get_fields() if not field.auto_created]
        answer = client.get(reverse(admin_urlname(model._meta, "add")), dict.fromkeys(names, said))
        assert answer.status_code in (200, 302, 403), model


def test_no_form_is_taken_that_another_site_sends_for_somebody():
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    before = shop.dump()
    answers = asked(client, **FORM)
    taken = {address for address, answer in answers.items() if answer.status_code not in (401, 403, 404, 405)}
    assert taken == set()
    assert shop.dump() == before
