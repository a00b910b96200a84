from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics import attribution, dashboard, figures
from analytics.models import DailyFigure
from analytics.periods import Period, chosen
from loyaltyflow.models import TickRun
from loyaltyflow.store.models import Customer, StoreSettings
from messaging.models import Campaign
from tests import factories
from tests.analytics.facts import engaged, message
from workflows.models import Workflow

DAY = timedelta(days=1)


def moment():
    """Now, on the store's clock, and never in the first hours of a day, in which “today” would have just begun."""
    return StoreSettings.load().local(timezone.now())


def noon(now, days_ago):
    return datetime.combine(now.date() - days_ago * DAY, time(12), tzinfo=now.tzinfo)


@pytest.fixture
def shop(transactional_db):
    """Three people were written to in the last 30 days and one before; two of them bought, one gave a part back."""
    now = moment()
    StoreSettings.objects.update(name="Harbor Street Market")
    winback, birthday = (Campaign.objects.create(name=name) for name in ("Winback, 21 days", "Birthday month"))
    Workflow.objects.create(name="Winback, 21 days", campaign=winback, status="live")
    people = [factories.customer(first_name="Maria", last_name="Oliveira") for _ in range(4)]
    sent = [message(who, noon(now, 5), winback) for who in people[:2]] + [message(people[2], noon(now, 4), birthday)]
    message(people[3], noon(now, 40), winback)
    message(people[3], None, winback, due_at=now + DAY)
    message(people[3], None, winback, due_at=noon(now, 3), status="blocked", reason="opted_out")
    message(people[3], None, winback, due_at=noon(now, 3), status="uncertain")
    engaged(sent[0], "open", noon(now, 4))
    engaged(sent[0], "open", noon(now, 3))
    engaged(sent[0], "click", noon(now, 3))
    engaged(sent[1], "open", noon(now, 4), is_machine=True)
    engaged(sent[2], "click", noon(now, 3))
    factories.order(people[0], noon(now, 2), "90.00", refunded=Decimal("30.00"))
    factories.order(people[2], noon(now, 1), "15.50")
    factories.order(people[3], noon(now, 1), "99.00")
    attribution.credit(now)
    figures.refresh(now)
    TickRun.objects.create(now=now, seconds=1.8, stages=[])
    return now


def counters(page):
    return {
        each.get_attribute("data-counter"): each.locator(".lf-figure").inner_text()
        for each in page.locator(".lf-counter").all()
    }


@pytest.mark.browser
def test_the_dashboard_shows_what_came_in(browse, shop):
    page = browse()

    assert page.title() == "Dashboard | LoyaltyFlow"
    assert page.locator("h1").all_inner_texts() == ["Dashboard"]
    assert counters(page) == {
        "Pending": "1",
        "Sent": "3",
        "Opens": "2",
        "Clicks": "2",
        "Conversions": "2",
        "Revenue": "$75.50",
    }
    assert page.locator("[data-counter=Sent]").inner_text().split("\n")[-2:] == ["was 1", "1 blocked"]
    rows = page.locator(".lf-table", has_text="Conversions").locator("tr").all_inner_texts()
    assert [[cell.strip() for cell in row.split("\t")][:3] for row in rows[1:]] == [
        ["Winback, 21 days", "1", "$60.00"],
        ["Birthday month", "1", "$15.50"],
        ["All", "2", "$75.50"],
    ]
    assert "1 message is uncertain" in page.locator("[aria-label='Needs a look']").inner_text()
    assert page.locator("text=too few to judge").count() == 2
    assert page.complaints == []


@pytest.mark.browser
def test_the_weekly_chart_is_drawn_and_drawn_again_in_the_dark(browse, shop):
    page = browse()
    colours = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    canvas = page.locator("canvas[data-chart=weekly]")

    assert canvas.evaluate(colours) > 10
    light = canvas.evaluate("c => c.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert "dark" in page.locator("html").get_attribute("class")
    assert canvas.evaluate("c => c.toDataURL()") != light
    assert page.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_page_scrolls_sideways(browse, shop, width):
    Campaign.objects.update(name="A name_without_spaces_" + "x" * 90)
    DailyFigure.objects.update(revenue=Decimal("123456789.10"), sent=100_000_000, opens=100_000_000)
    page = browse(width=width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "e => [...e.querySelectorAll('.lf-figure, td')].filter(x => x.scrollWidth > x.clientWidth + 1)"
    assert page.locator(".lf").evaluate(f"e => ({wide})(e).map(x => x.innerText)") == []


@pytest.mark.browser
def test_an_empty_store_shows_how_to_begin(browse):
    page = browse()

    assert counters(page) == dict.fromkeys(["Pending", "Sent", "Opens", "Clicks", "Conversions"], "0") | {
        "Revenue": "$0.00"
    }
    assert page.locator(".lf-delta").count() == 0
    assert page.locator("text=No message has been sent yet").is_visible()
    assert page.locator("ol.lf-todo li").count() == 3
    assert page.locator("[aria-label='Needs a look']").count() == 0
    assert page.complaints == []


@pytest.mark.browser
def test_a_period_can_be_typed(browse, shop):
    page = browse("/?period=custom")
    last = shop.date() - 35 * DAY
    page.fill("[name=from]", (last - 10 * DAY).isoformat())
    page.fill("[name=to]", last.isoformat())
    page.click("text=Show >> nth=0")
    page.wait_for_load_state("networkidle")

    assert counters(page)["Sent"] == "1"
    assert counters(page)["Revenue"] == "$0.00"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "rows"), [("Opens", 2), ("Clicks", 2), ("Conversions", 2), ("Sent", 3), ("Pending", 1)]
)
def test_each_counter_opens_the_rows_behind_it(browse, shop, label, rows):
    page = browse()
    link = page.locator(f"[data-counter={label}] a")
    page.goto(page.url.rstrip("/") + link.get_attribute("href"))

    assert page.locator("#result_list tbody tr").count() == rows


@pytest.mark.browser
def test_every_entry_of_the_menu_opens(browse, shop):
    page = browse()
    links = {each.inner_text(): each.get_attribute("href") for each in page.locator("#nav-sidebar-apps a").all()}
    root = page.url.rstrip("/")

    assert len(links) >= 5
    for name, address in links.items():
        answer = page.goto(root + address)
        page.wait_for_load_state("networkidle")
        assert answer.status == 200, name
        assert page.complaints == [], name


def test_who_is_not_signed_in_is_asked_to(client, transactional_db):
    answer = client.get("/")

    assert answer.status_code == 302
    assert answer.url == "/login/?next=/"


def test_staff_without_the_right_to_see_figures_see_none(client, shop):
    client.force_login(User.objects.create_user("till", is_staff=True))

    assert "You may not see the store’s figures" in client.get("/").content.decode()
    assert client.get("/analytics/conversion/").status_code == 403


def test_the_menu_shows_only_what_the_person_may_open(client, transactional_db):
    person = User.objects.create_user("till", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_conversion"))
    client.force_login(person)

    page = client.get("/").content.decode()

    assert 'href="/analytics/conversion/"' in page
    assert "/loyaltyflow/tickrun/" not in page


def test_messages_on_both_sides_of_sunday_midnight_are_of_different_weeks(transactional_db):
    now = moment()
    monday = now.date() - timedelta(days=now.weekday())
    who = factories.customer()
    midnight = datetime.combine(monday, time(), tzinfo=now.tzinfo) - 7 * DAY
    message(who, midnight - timedelta(minutes=30))
    message(who, midnight + timedelta(minutes=30))
    message(who, midnight + timedelta(minutes=40))
    figures.refresh(now)

    chart = dashboard.read(Period(monday, now.date()), now)["weekly"]["chart"]

    assert chart["series"] == [{"label": "E-mail", "values": [0] * 9 + [1, 2, 0]}]
    assert chart["before"] == [None] * 12


@pytest.mark.parametrize(
    ("_case", "query", "first", "last"),
    [
        ("nothing asked", {}, date(2026, 10, 25), date(2026, 11, 23)),
        ("seven days", {"period": "7d"}, date(2026, 11, 17), date(2026, 11, 23)),
        ("twelve ISO weeks", {"period": "12w"}, date(2026, 9, 7), date(2026, 11, 23)),
        (
            "own days",
            {"period": "custom", "from": "2026-01-01", "to": "2026-01-01"},
            date(2026, 1, 1),
            date(2026, 1, 1),
        ),
        (
            "the wrong way round",
            {"period": "custom", "from": "2026-02-01", "to": "2026-01-01"},
            date(2026, 10, 25),
            date(2026, 11, 23),
        ),
        ("no dates", {"period": "custom", "from": "soon", "to": ""}, date(2026, 10, 25), date(2026, 11, 23)),
        (
            "the end of time",
            {"period": "custom", "from": "9999-12-30", "to": "9999-12-31"},
            date(2026, 10, 25),
            date(2026, 11, 23),
        ),
        ("nonsense", {"period": "'; drop"}, date(2026, 10, 25), date(2026, 11, 23)),
    ],
)
def test_the_period_follows_the_address(_case, query, first, last, now):
    period = chosen(query, now)

    assert (period.first, period.last) == (first, last)
    assert period.before.last == first - DAY
    assert period.before.days == period.days


def test_points_before_and_what_moved_add_up_to_what_is_there(shop):
    points = dashboard.read(Period(shop.date() - 7 * DAY, shop.date()), shop)["points"]

    assert points["start"]["points"] + sum(each["points"] for each in points["moves"]) == points["end"]["points"]


def statements(client, messages):
    now = moment()
    for number in range(messages):
        who = factories.customer()
        campaign = Campaign.objects.create(name=f"Campaign {messages}-{number}")
        engaged(message(who, noon(now, 3), campaign), "click", noon(now, 2))
        factories.order(who, noon(now, 1))
    attribution.credit(now)
    figures.refresh(now)
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/").status_code == 200
    return len(queries)


def test_the_number_of_statements_does_not_depend_on_the_data(client, boss):
    client.force_login(boss)
    client.get("/")  # makes the rows of settings that a new store does not have yet
    assert statements(client, 2) == statements(client, 30)


def test_the_revenue_leads_to_orders_whose_sum_it_is(client, boss, shop):
    client.force_login(boss)
    context = client.get("/").context
    revenue = next(each for each in context["counters"] if each.label == "Revenue")

    page = client.get(revenue.link)

    assert revenue.text == "$75.50"
    assert "<strong>$75.50</strong> of revenue in all that are listed here" in page.content.decode()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_forms_of_a_customer_and_a_workflow_fit_and_complain_of_nothing(browse, shop, width):
    page = browse("/store/customer/add/", width=width)
    home = page.url.removesuffix("/store/customer/add/")
    customer, workflow = Customer.objects.order_by("pk").first(), Workflow.objects.get()
    for address in (
        "/store/customer/add/",
        f"/store/customer/{customer.pk}/change/",
        f"/workflows/workflow/{workflow.pk}/change/",
    ):
        page.goto(home + address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        text = page.locator("#main").inner_text()
        assert "object at 0x" not in text
        assert "order_completed" not in text
    assert page.complaints == []
