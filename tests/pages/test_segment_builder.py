"""The editor of a segment's conditions, in a real browser: built, counted, saved, and nothing typed is ever lost."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from loyaltyflow.store.models import Customer, Order, StoreSettings
from segments import refresh
from segments.editing import drafts, publishing
from segments.exchange import trees as exchange
from segments.forms.condition import FEW
from segments.models import Segment
from tests import factories

pytestmark = pytest.mark.browser

DAY = timedelta(days=1)


def now():
    return StoreSettings.load().local(timezone.now())


@pytest.fixture
def shop(transactional_db):
    """Twelve people in three states; some bought long ago, some lately, some never."""
    at, people = now(), []
    for number in range(12):
        state = ("MA", "MA", "NH")[number % 3]
        people.append(factories.customer(first_name=f"Person{number}", last_name="Test", state=state, country="US"))
    for number, customer in enumerate(people[:9]):
        factories.order(customer, at - (3 + 6 * number) * DAY, "20.00")
    return people


@pytest.fixture
def winback(shop, boss):
    """An active segment: bought at least once and lives in Massachusetts."""
    return made("Bought in Massachusetts", BOUGHT, LIVES, by=boss)


BOUGHT, LIVES = {"made_purchase": {"count": 1}}, {"customer_field": {"field": "state", "value": "MA"}}


def made(name, *conditions, by=None, is_active=True):
    segment = Segment.objects.create(name=name)
    for each in conditions:
        drafts.add(segment, 0, exchange.grown(each), by, now())
    if conditions:
        publishing.publish(segment, now(), by, drafts.digest(edited(segment)))
    if is_active:
        refresh.activate(Segment.objects.filter(pk=segment.pk), now())
    segment.refresh_from_db()
    return segment


def edited(segment):
    return Segment.objects.filter(pk=segment.pk).with_trees("draft")[0].edited()


def saved(segment):
    return Segment.objects.filter(pk=segment.pk).with_trees()[0].root


def address(segment):
    return f"/segments/segment/{segment.pk}/conditions/"


def rows(page):
    return page.locator("#rows .row-link").all_inner_texts()


def settled(page):
    """When nothing is on its way any more, and what came stands in its place."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


def pick(page, words):
    """Choose a type of condition in the palette, by typing."""
    page.locator("#panel [data-search]").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator("#panel-form")).to_be_visible()


def apply(page):
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/count/" not in answer.url):
        page.locator(".panel-foot .btn.primary").click()
    expect(page.locator("#panel-form")).to_have_attribute("action", OF_A_ROW)
    settled(page)


OF_A_ROW = re.compile(r"rows/\d+/$")


def stayed_away(at):
    """Who bought before, but not in the last 21 days of the store's calendar, and lives in Massachusetts."""
    first = datetime.combine(at.date() - 21 * DAY, datetime.min.time(), tzinfo=at.tzinfo)
    bought: dict[int, list[datetime]] = {}
    for order in Order.objects.filter(completed_at__isnull=False, cancelled_at=None):
        bought.setdefault(order.customer_id, []).append(order.completed_at)
    lives_there = Customer.objects.filter(state="MA").values_list("pk", flat=True)
    return {pk for pk in lives_there if pk in bought and all(each < first for each in bought[pk])}


def test_staff_build_winback_from_an_empty_page_with_clicks_and_typing_only(browse, shop):
    segment = made("Winback", is_active=False)
    page = browse(address(segment))
    expect(page.locator("#rows")).to_contain_text("Everyone (12).")

    page.click("#add-first")
    pick(page, "purchase so many times")
    page.select_option("[name=operator]", "none")
    page.select_option("[name=when]", "past")
    page.fill("[name=window_days]", "21")
    expect(page.locator("#panel")).to_contain_text("store time")
    apply(page)
    page.click("#add-to-0")
    pick(page, "purchase so many times")
    apply(page)
    page.click("#add-to-0")
    pick(page, "customer field")
    page.fill("[name=value]", "MA")
    apply(page)

    wanted = stayed_away(now())
    assert len(wanted) == 3
    assert rows(page) == ["Made no purchase in the past 21 days", "Made at least 1 purchase", "Lives in Massachusetts"]
    expect(page.locator("#strip .count")).to_have_text("3 customers")
    expect(page.locator(".head-note")).to_contain_text("3 changes not saved")
    page.click("#activate")
    expect(page.locator("#panel")).to_contain_text("3 customers match now")
    page.click("#panel .btn.primary")
    expect(page.locator(".pill")).to_have_text("Active")
    settled(page)

    segment.refresh_from_db()
    assert set(segment.memberships.open().values_list("customer", flat=True)) == wanted
    assert (segment.is_active, segment.draft, segment.members_now) == (True, None, 3)
    assert page.complaints == []


def test_the_count_follows_what_is_typed_and_nothing_is_saved_by_it(browse, winback):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[0].number}")
    before = drafts.digest(saved(winback))

    expect(page.locator("#strip .count")).to_have_text("6 customers")
    page.fill("[name=count]", "2")
    expect(page.locator("#strip")).to_contain_text("with what is typed, not applied yet")
    expect(page.locator("#strip .count")).to_have_text("0 customers")
    expect(page.locator("#does")).to_contain_text("Made at least 2 purchases")
    page.click("[data-close=drop]")
    expect(page.locator("#strip .count")).to_have_text("6 customers")
    settled(page)

    winback.refresh_from_db()
    assert winback.draft is None
    assert drafts.digest(saved(winback)) == before
    assert page.complaints == []


def test_a_live_segment_is_saved_after_saying_who_moves(browse, winback):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[1].number}")
    page.fill("[name=value]", "NH")
    apply(page)
    expect(page.locator("#impact")).to_have_text("6 leave, 3 join")
    page.click("#save")
    expect(page.locator("#panel dl")).to_have_text("Join3Leave6")
    winback.refresh_from_db()
    assert winback.draft is not None

    page.click("#panel .btn.primary")
    expect(page.locator("#panel")).to_contain_text("3 customers joined, 6 customers left.")
    expect(page.locator(".head-note")).to_contain_text("by Dana")
    settled(page)
    winback.refresh_from_db()
    assert (winback.draft, winback.members_now) == (None, 3)
    assert page.complaints == []


@pytest.mark.parametrize("by_key", [True, False])
def test_one_of_several_products_of_one_name_is_chosen_by_its_sku(by_key, browse, winback):
    for number in range(FEW + 1):
        factories.product(sku=f"CEREAL-{number:02}", name="Kids cereal, 14.5 oz")
    page = browse(f"{address(winback)}?new=0&type=made_purchase")
    page.click(".fold summary")
    page.fill("[name=product_text]", "cereal-07")
    expect(page.locator("#panel .options button")).to_have_text(["Kids cereal, 14.5 ozCEREAL-07"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter") if by_key else page.click("#panel .options button")
    expect(page.locator("#does")).to_contain_text("of Kids cereal, 14.5 oz")
    apply(page)

    winback.refresh_from_db()
    chosen = [part.product for part in winback.edited().parts() if getattr(part, "product", None)]
    assert [product.sku for product in chosen] == ["CEREAL-07"]
    assert page.complaints == []


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("lives", "customer_field"),
        ("country", "customer_field"),
        ("September", "anniversary"),
        ("bought twice", "made_purchase"),
        ("discount", "made_purchase"),
        ("unsubscribed", "has_consent"),
        ("basket", "has_cart"),
        ("loyalty member", "joined_loyalty"),
        ("email", "has_consent"),
    ],
)
def test_conditions_are_found_by_what_they_ask(words, first, client, boss, winback):
    client.force_login(boss)
    page = client.get(f"{address(winback)}rows/new/?to=0", headers={"hx-request": "true"}).content.decode()
    said = r'id="pick-(\w+)" data-pick(?: data-words="([^"]*)")?.*?<b>(.*?)</b><small>(.*?)</small>'
    found = [
        kind
        for kind, *texts in re.findall(said, page)
        if all(word in " ".join(texts).lower().replace("-", "") for word in words.lower().split())
    ]

    assert found[0] == first


def test_discarding_brings_back_what_was_saved(browse, winback):
    page = browse(address(winback))
    page.locator("#rows .kebab").first.click()
    page.locator(".menu[open] [data-does=delete]").click()
    expect(page.locator("#rows .row-link")).to_have_count(1)
    page.click("#discard")
    page.click("#panel .btn.primary")
    expect(page.locator("#rows .row-link")).to_have_count(2)
    settled(page)
    winback.refresh_from_db()
    assert winback.draft is None
    assert page.complaints == []


def test_all_of_it_can_be_done_from_the_keyboard(browse, winback):
    page = browse(address(winback))
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows .row-link").nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("[name=field]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#rows .row-link").nth(1)).to_be_focused()

    page.keyboard.press("a")
    expect(page.locator("#panel [data-search]")).to_be_focused()
    page.keyboard.type("consent")
    page.keyboard.press("Enter")
    expect(page.locator("[name=channel]")).to_be_focused()
    page.keyboard.press("Control+s")
    expect(page.locator("#rows .row-link")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("#rows .row-link").nth(2)).to_be_focused()
    settled(page)

    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#rows .row-link").nth(1)).to_contain_text("opted in")
    expect(page.locator("#rows .row-link").nth(1)).to_be_focused()
    settled(page)
    page.keyboard.press("Delete")
    expect(page.locator("#rows .row-link")).to_have_count(2)
    expect(page.locator("#rows .row-link").nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("[name=customer]")).to_be_focused()
    settled(page)
    assert page.complaints == []


def test_what_was_typed_is_never_lost_without_a_word(browse, winback):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[0].number}")
    page.fill("[name=count]", "2")

    page.locator("#rows .row-link").nth(1).click()
    expect(page.locator(".panel-ask")).to_contain_text("not applied yet")
    page.click("[data-ask=stay]")
    assert page.input_value("[name=count]") == "2"
    page.click("#add-to-0")
    page.click("[data-ask=stay]")
    page.keyboard.press("Escape")
    page.click("[data-ask=apply]")
    expect(page.locator("#panel-form")).to_have_count(0)
    expect(page.locator("#rows .row-link").nth(0)).to_have_text("Made at least 2 purchases")
    settled(page)

    page.locator("#rows .row-link").nth(1).click()
    page.fill("[name=value]", "NH")
    asked = []

    def leave(dialog):
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.reload()
    settled(page)
    assert asked == ["beforeunload"]
    assert rows(page)[1] == "Lives in Massachusetts"
    assert page.complaints == []


def test_a_wrong_field_says_what_is_missing_and_keeps_what_was_typed(browse, winback):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[0].number}")
    page.select_option("[name=when]", "past")
    page.fill("[name=window_days]", "often")
    page.locator(".panel-foot .btn.primary").click()

    expect(page.locator(".field.is-wrong")).to_contain_text("Write a number in digits, such as 21.")
    expect(page.locator("[name=window_days]")).to_be_focused()
    assert page.input_value("[name=window_days]") == "often"
    winback.refresh_from_db()
    assert winback.draft is None
    page.fill("[name=window_days]", "7")
    apply(page)
    assert rows(page)[0] == "Made at least 1 purchase in the past 7 days"
    assert [said for said in page.complaints if "422" not in said] == []


def test_two_people_change_one_condition_and_nothing_of_either_is_lost(browse, winback):
    erin = User.objects.create_superuser("erin", "erin@example.com", "a long password", first_name="Erin")
    bought = saved(winback).parts()[0]
    page = browse(f"{address(winback)}?row={bought.number}")
    page.fill("[name=count]", "2")
    change(winback, bought.number, erin, count=3)

    page.locator(".panel-foot .btn.primary").click()
    expect(page.locator("#panel .note.warn").first).to_contain_text("Erin saved this condition at")
    expect(page.locator(".sides")).to_contain_text("Made at least 3 purchases")
    expect(page.locator(".sides")).to_contain_text("Made at least 2 purchases")
    expect(page.locator("#impact")).to_have_text("6 leave, nobody joins")
    expect(page.locator(f"#hit-{bought.number}")).to_have_text("0 match")
    assert drafts.row(Segment.objects.get(pk=winback.pk), bought.number).count == 3
    page.click("text=Save mine")
    expect(page.locator("#rows .row-link").nth(0)).to_have_text("Made at least 2 purchases")
    settled(page)

    page.fill("[name=count]", "5")
    change(winback, bought.number, erin, count=4)
    page.locator(".panel-foot .btn.primary").click()
    page.click("text=Keep theirs")
    expect(page.locator("[name=count]")).to_have_value("4")
    settled(page)
    assert [said for said in page.complaints if "409" not in said] == []


def change(segment, number, person, **fields):
    segment = Segment.objects.filter(pk=segment.pk).with_trees("draft")[0]
    row = drafts.row(segment, number)
    seen = drafts.own_digest(row)
    for name, value in fields.items():
        setattr(row, name, value)
    drafts.save(segment, row, seen, person, now())


def test_what_was_typed_into_a_deleted_condition_can_be_added_again(browse, winback):
    erin = User.objects.create_superuser("erin", "erin@example.com", "a long password", first_name="Erin")
    bought = saved(winback).parts()[0]
    page = browse(f"{address(winback)}?row={bought.number}")
    page.fill("[name=count]", "2")
    drafts.delete(Segment.objects.filter(pk=winback.pk).with_trees("draft")[0], bought.number, erin, now())

    page.locator(".panel-foot .btn.primary").click()
    expect(page.locator("#panel")).to_contain_text("Erin deleted this condition at")
    expect(page.locator("[name=count]")).to_have_value("2")
    page.click("text=Add it again")
    expect(page.locator("#rows .row-link")).to_have_count(2)
    settled(page)
    assert rows(page) == ["Lives in Massachusetts", "Made at least 2 purchases"]


def test_a_request_that_fails_loses_nothing_and_can_be_tried_again(browse, winback):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[0].number}")
    page.fill("[name=count]", "2")
    settled(page)
    page.route("**/rows/*/", lambda route: route.abort())
    page.locator(".panel-foot .btn.primary").click()
    expect(page.locator(".panel-ask.bad")).to_contain_text("Not saved. Try again.")
    assert page.input_value("[name=count]") == "2"

    page.unroute("**/rows/*/")
    page.click("[data-retry]")
    expect(page.locator("#rows .row-link").nth(0)).to_have_text("Made at least 2 purchases")
    settled(page)


def test_signing_out_meanwhile_does_not_swallow_what_was_typed(browse, winback, client, boss):
    page = browse(f"{address(winback)}?row={saved(winback).parts()[0].number}")
    page.fill("[name=count]", "2")
    settled(page)
    session = next(each for each in page.context.cookies() if each["name"] == "sessionid")
    page.context.clear_cookies(name="sessionid")
    page.locator(".panel-foot .btn.primary").click()
    expect(page.locator(".panel-ask.bad")).to_contain_text("You were signed out.")
    expect(page.locator("[data-sign-in]")).to_be_visible()
    assert page.input_value("[name=count]") == "2"

    page.context.add_cookies([session])
    page.click("[data-retry]")
    expect(page.locator("#rows .row-link").nth(0)).to_have_text("Made at least 2 purchases")


def test_groups_are_made_turned_round_and_filled_by_menu_and_by_dragging(browse, winback):
    page = browse(address(winback))
    page.locator(".group.root > .group-head .group-adds button").click()
    expect(page.locator(".group .group")).to_contain_text("asks nothing yet")
    expect(page.locator("#strip")).to_contain_text("asks nothing yet")
    page.locator("#rows .kebab").first.click()
    page.locator(".menu[open]").get_by_text("Move into “Any").click()
    expect(page.locator(".group .group .row-link")).to_have_text("Made at least 1 purchase")
    settled(page)

    page.locator(".group .group .mode").click()
    page.locator(".menu[open]").get_by_text("Customers who meet not a single one").click()
    expect(page.locator(".group .group .mode")).to_contain_text("None")
    settled(page)
    assert drafts.digest(edited(winback)) == drafts.digest(exchange.grown({"all_of": [LIVES, {"none_of": [BOUGHT]}]}))

    drag(page, page.locator(".group .group .row .drag"), page.locator("#rows .row").first)
    expect(page.locator(".group .group .row-link")).to_have_count(0)
    settled(page)
    assert sorted(rows(page)) == ["Lives in Massachusetts", "Made at least 1 purchase"]
    assert page.complaints == []


def drag(page, handle, onto):
    start, end = handle.bounding_box(), onto.bounding_box()
    page.mouse.move(start["x"] + 5, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] + 8, start["y"] - 4, steps=4)
    page.mouse.move(end["x"] + 30, end["y"] + 6, steps=12)
    page.wait_for_timeout(200)  # the rows move aside
    page.mouse.up()


def test_why_somebody_matches_is_said_condition_by_condition(browse, winback):
    page = browse(address(winback))
    page.fill("[name=customer]", "Person2 Test")
    page.locator("#people button").first.click()
    expect(page.locator("#why .verdict")).to_contain_text("Person2 Test does not match.")
    expect(page.locator("#why li").nth(0)).to_contain_text("1 purchase")
    expect(page.locator("#why li").nth(1)).to_contain_text("NH")
    settled(page)
    assert page.complaints == []


def test_the_samples_show_those_who_match(browse, winback):
    page = browse(address(winback))
    expect(page.locator("#samples tbody tr")).to_have_count(6)
    shown = set(page.locator("#samples tbody td:first-child").all_inner_texts())
    assert shown == {str(each) for each in Customer.objects.filter(state="MA", orders__isnull=False)}


def test_nobody_matching_names_the_row_that_leaves_nobody(browse, shop, boss):
    never = {"made_purchase": {"count": 40}}
    page = browse(address(made("Nobody", BOUGHT, never, LIVES, by=boss)))
    expect(page.locator("#strip .count")).to_have_text("0 customers")
    expect(page.locator("#strip")).to_contain_text("Made at least 40 purchases")
    settled(page)
    assert page.complaints == []


@pytest.mark.parametrize(("_case", "width"), [("a desk", 1280), ("a laptop", 1024), ("a phone", 390)])
def test_no_page_scrolls_sideways(browse, winback, _case, width):
    page = browse(address(winback), width=width)
    for shown in ("", f"?row={saved(winback).parts()[0].number}", "?new=0", "?words=1"):
        page.goto(page.url.partition("?")[0] + shown)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.complaints == []


def test_on_a_phone_the_panel_is_a_sheet_below_the_row_it_belongs_to(browse, winback):
    page = browse(address(winback), width=390)
    page.locator("#rows .row-link").nth(1).click()
    expect(page.locator(".ed-panel")).to_be_visible()
    page.wait_for_timeout(300)
    sheet, row = page.locator(".ed-panel").bounding_box(), page.locator("#rows .is-open").bounding_box()
    assert sheet["height"] <= 0.58 * 900 + 1
    assert row["y"] + row["height"] <= sheet["y"]
    assert page.evaluate("getComputedStyle(document.querySelector('[name=value]')).fontSize") == "16px"
    assert page.complaints == []


def test_the_page_works_without_script(client, winback, boss):
    client.force_login(boss)
    bought, lives = saved(winback).parts()
    page = client.get(f"{address(winback)}?row={bought.number}").content.decode()
    assert f'action="{address(winback)}rows/{bought.number}/"' in page

    seen = drafts.own_digest(bought)
    data = {"operator": "at_least", "count": "4", "when": "ever", "discount": "", "seen": seen}
    answer = client.post(f"{address(winback)}rows/{bought.number}/", data)
    assert answer.url == f"{address(winback)}?row={bought.number}"
    client.post(f"{address(winback)}rows/{lives.number}/delete/")
    assert [each.summary() for each in edited(winback).parts()] == ["made at least 4 purchases"]
