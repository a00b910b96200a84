"""A browser, signed in, in front of the running pages."""

import os
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from playwright.sync_api import expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 30_000  # milliseconds; what comes at all comes sooner, but on a busy machine not within seconds
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium; only a machine of one's own may go without."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"{CHROMIUM} is not installed")
    # The browser's library runs an event loop in this thread, which Django would take for its own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def boss(transactional_db):
    return User.objects.create_superuser("dana", "dana@example.com", "a long password", first_name="Dana")


@pytest.fixture
def answered(live_server):
    """At its end the server has answered all that it was asked: an answer under way would write past the clean-up."""
    under_way, changed = set(), threading.Condition()

    def began(**_signal):
        with changed:
            under_way.add(threading.get_ident())

    def ended(**_signal):
        with changed:
            under_way.discard(threading.get_ident())
            changed.notify_all()

    request_started.connect(began)
    request_finished.connect(ended)
    yield
    with changed:
        done = changed.wait_for(lambda: not under_way, timeout=30)
    request_started.disconnect(began)
    request_finished.disconnect(ended)
    assert done, "the server was still at work half a minute after the browser was closed"


@pytest.fixture
def browse(chromium, live_server, answered, client, boss):
    """Opens a page at an address, signed in as the boss; what the console says is kept in `page.complaints`."""
    client.force_login(boss)
    contexts = []

    def opened(address="/", width=1280, scheme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.complaints = []
        page.on(
            "console", lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(live_server.url + address)
        page.wait_for_load_state("networkidle")
        return page

    yield opened
    for context in contexts:
        context.close()
