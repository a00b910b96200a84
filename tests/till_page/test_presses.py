"""What each press on the Till page does: to the sale, and to points and vouchers."""

import html
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import ExternalId, Order
from loyaltyflow.till_page import shown
from loyaltyflow.till_page.after import After
from loyaltyflow.till_page.sale import SOURCE, Place, new, points_in
from rewards import ledger
from rewards.models import Account, Entry, Hold, Lot, Redemption, Standing, Tier, Voucher
from tests import factories
from tests.staff import signed_in
from tests.till import shop

pytestmark = pytest.mark.django_db


class Till:
    """A browser in front of the page, without scripts: each press sends the form as it stands."""

    def __init__(self, client: Client, name: str = "Till 2", store: str = "Salem") -> None:
        self.client, self.address = client, reverse("till")
        self.client.post(self.address, {"store": store, "till": name})
        self.see(self.client.get(self.address))

    def see(self, response) -> None:
        assert response.status_code == 200
        self.page, self.text = response.context, " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())

    def form(self) -> dict:
        sale = self.page["sale"]
        return {
            "number": sale.number,
            "customer": sale.customer or "",
            "hold": sale.hold,
            "code": list(sale.codes),
            "sku": [line.sku for line in sale.lines],
            "name": [line.name for line in sale.lines],
            "quantity": [line.quantity for line in sale.lines],
            "price": [line.price for line in sale.lines],
            "points": sale.points,
        }

    def press(self, do: str, **typed) -> "Till":
        self.sent = self.form() | {"do": do} | typed
        self.see(self.client.post(self.address, self.sent))
        return self

    def scan(self, *texts: str) -> "Till":
        for text in texts:
            self.press("scan", scan=text)
        return self

    def complete(self) -> "Till":
        return self.press(f"complete:{self.page['exact']}")

    @property
    def said(self) -> tuple[str, str]:
        said = self.page["said"]
        return (said.what, said.why) if said else ("", "")


@pytest.fixture
def cashier(db):
    return signed_in("use_till", name="cashier")


@pytest.fixture
def maria():
    who = shop.member(500, first_name="Maria", last_name="Oliveira", phone="+19785550142", email="maria@example.com")
    ExternalId.objects.create(customer=who, source="card", external_id="7700 4412 0934")
    return who


@pytest.fixture
def coffee():
    return factories.product(sku="COFFEE", name="Harbor Roast Coffee 12 oz", price=Decimal("11.99"))


@pytest.fixture
def at_till(cashier, coffee):
    shop.rule("1")
    return Till(cashier)


def points_of(who) -> int:
    return ledger.spendable([who.pk], timezone.now())[who.pk].spendable


def left_alone(who, points=500) -> bool:
    return not Order.objects.exists() and points_of(who) == points and not Redemption.objects.exists()


def test_a_browser_is_asked_once_which_till_it_is(cashier):
    address = reverse("till")
    assert "Which till is this?" in cashier.get(address).content.decode()
    assert "Give the till a name" in cashier.post(address, {"store": "Salem", "till": " "}).content.decode()
    assert cashier.post(address, {"store": "Salem", "till": "Till 2"}).status_code == 302
    assert "Salem · Till 2" in cashier.get(address).content.decode()


def test_who_is_to_be_served_stays_known_while_the_till_is_chosen(cashier, maria):
    asked = cashier.get(reverse("till"), {"customer": maria.pk}).content.decode()
    address = html.unescape(re.search(r'action="([^"]*place[^"]*)"', asked)[1])

    page = cashier.post(address, {"store": "Salem", "till": "Till 2"}, follow=True)

    assert page.context["person"].customer == maria


@pytest.mark.parametrize("typed", ["7700 4412 0934", "978 555 0142", "(978) 555-0142", "MARIA@example.com "])
def test_a_card_a_phone_number_or_an_address_finds_the_customer(at_till, maria, typed):
    assert at_till.scan(typed).page["person"].customer == maria
    assert "500 pts" in at_till.text


def test_scanning_a_product_again_adds_one_more(at_till, maria, coffee):
    at_till.scan("7700 4412 0934", "COFFEE", "COFFEE")

    [(line, _off)] = at_till.page["lines"]
    assert (line.quantity, line.amount) == ("2", Decimal("23.98"))
    assert at_till.page["quote"].to_pay == Decimal("23.98")
    assert at_till.page["quote"].to_earn == 23


def test_a_name_offers_products_and_what_nobody_knows_changes_nothing(at_till, coffee):
    at_till.scan("roast harbor")
    assert [each.sku for each in at_till.page["after"].products] == ["COFFEE"]
    at_till.press("add:COFFEE")
    assert len(at_till.page["sale"].lines) == 1

    at_till.scan("no such thing")
    assert at_till.said[0] == "“no such thing” was not found"
    assert len(at_till.page["sale"].lines) == 1


@pytest.mark.parametrize(("field", "typed"), [("quantity", "0"), ("quantity", "x"), ("price", ""), ("price", "-1")])
def test_what_cannot_be_read_is_said_on_its_line_and_nothing_is_sold(at_till, maria, field, typed):
    at_till.scan("7700 4412 0934", "COFFEE").press("scan", **{field: [typed]})

    [(line, _off)] = at_till.page["lines"]
    assert line.fault
    assert line.fault in at_till.text.replace("&quot;", '"')
    at_till.press("complete:11.99")
    assert left_alone(maria)


def test_a_whole_sale_redeems_and_earns_once_however_often_it_is_pressed(at_till, maria, coffee):
    shop.code("WELCOME10", shop.off("5.00"), customer=maria)
    at_till.scan("7700 4412 0934", "COFFEE", "COFFEE", "welcome10").press("points:more")

    assert at_till.page["quote"].to_pay == Decimal("13.98")  # 23.98 − 5.00 − 100 points
    at_till.complete()
    again = at_till.sent
    [order] = Order.objects.all()
    assert at_till.said == (f"Sold to Maria Oliveira, order {order.external_id}", "Earns 13 points.")
    assert (order.net, order.source, order.store_location) == (Decimal("13.98"), SOURCE, "Salem")
    assert points_of(maria) in (400, 413)
    assert Redemption.objects.get().till == "Till 2"

    before = points_of(maria)
    at_till.see(at_till.client.post(at_till.address, again))
    assert at_till.said[0] == f"Sold to Maria Oliveira, order {order.external_id}"
    assert (Order.objects.count(), Redemption.objects.count(), points_of(maria)) == (1, 1, before)


def test_quoting_writes_nothing(at_till, maria):
    shop.code("WELCOME10", shop.off("5.00"), customer=maria)
    entries = Entry.objects.count()

    at_till.scan("7700 4412 0934", "COFFEE", "WELCOME10").press("points:all")
    at_till.press("drop:WELCOME10").press("points:fewer")

    assert left_alone(maria)
    assert Entry.objects.count() == entries


def test_undo_gives_everything_back_and_takes_back_what_was_earned(at_till, maria):
    voucher = shop.code("WELCOME10", shop.off("5.00"), customer=maria)
    at_till.scan("7700 4412 0934", "COFFEE", "COFFEE", "WELCOME10").press("points:more").complete()
    number = Order.objects.get().external_id

    for _twice in range(2):
        at_till.press(f"undo:{number}")
        assert at_till.said[0] == f"Order {number} is undone"

    voucher.refresh_from_db()
    assert voucher.state == Voucher.State.ISSUED
    assert points_of(maria) == 500
    assert at_till.page["done"][0]["is_undone"]
    entries = Entry.objects.filter(order__external_id=number).values_list("kind", "by__username", "explanation")
    said = {kind: (by, why) for kind, by, why in entries}
    assert said["redeem_reversal"] == ("cashier", f"Given back, as Order {number} was returned")
    assert said["refund_reversal"][0] == said["redeem"][0] == "cashier"


def test_a_voucher_says_what_is_missing_before_anyone_tries_it(at_till, maria):
    shop.code("CLB", shop.off("10.00", min_spend=Decimal("75.00")), customer=maria)

    at_till.scan("7700 4412 0934", "COFFEE")
    [own] = at_till.page["own"]
    assert (own.is_on, own.refusal.detail) == (False, "It needs $63.01 more on this bill.")

    at_till.press("try", **{"try": "clb"})
    assert at_till.said == ("CLB cannot be used", "It needs $63.01 more on this bill.")
    assert at_till.page["sale"].codes == ()


def test_too_many_points_are_refused_in_words_and_nothing_is_taken(at_till, maria):
    at_till.scan("7700 4412 0934", "COFFEE").press("scan", points="900")

    assert at_till.page["points_refused"].detail.startswith("900 points were asked for; there are 500 to spend")
    assert not at_till.page["may_complete"]
    at_till.press("complete:11.99")
    assert left_alone(maria)


@pytest.mark.parametrize("typed", ["abc", "-50", "2.5", "1,00", "twenty hundred and something"])
def test_points_that_cannot_be_read_stay_as_typed_and_nothing_is_sold(at_till, maria, typed):
    at_till.scan("7700 4412 0934", "COFFEE").press("scan", points=typed)

    assert f"“{typed[:20]}” is no number of points Type a whole number, such as 200." in at_till.text
    assert at_till.page["sale"].unread == typed[:20]
    assert not at_till.page["may_complete"]
    at_till.press("complete:11.99", points=typed)
    assert left_alone(maria)
    assert at_till.press("points:more").page["quote"].points == 100


@pytest.mark.parametrize(("typed", "read"), [("", 0), ("20", 20), ("1,00,0", None), ("1,000", 1000), ("1 000", 1000)])
def test_points_are_read_with_signs_between_thousands(typed, read):
    assert points_in(typed) == read


def test_points_held_and_owed_are_shown_with_the_balance(at_till, maria, coffee):
    Hold.objects.create(
        customer=maria, source="shop", external_id="1", points=120, expires_at=timezone.now() + timedelta(minutes=5)
    )
    Account.objects.filter(customer=maria).update(owed=30)

    at_till.scan("7700 4412 0934")

    assert "350 pts worth $17.50 · 120 held at a till · 30 owed" in at_till.text


def test_a_voucher_is_shown_with_its_last_day(at_till, maria):
    shop.code("CLB", shop.off("10.00"), customer=maria)
    Voucher.objects.update(expires_at=datetime(2030, 1, 1, 0, 0, tzinfo=store().zone))

    assert "until Dec 31, 2029" in at_till.scan("7700 4412 0934").text


def test_points_are_never_more_than_the_bill_needs(at_till, maria):
    at_till.scan("7700 4412 0934", "COFFEE").press("points:all")

    assert at_till.page["sale"].points == 239  # at 5 cents each, of $11.99
    assert at_till.page["quote"].to_pay == Decimal("0.04")


def test_a_bill_that_changed_meanwhile_is_not_sold_for_the_old_amount(at_till, maria, coffee):
    at_till.scan("7700 4412 0934", "COFFEE").press("complete:11.99", price=["9.99"])

    assert at_till.said[0] == "It comes to $9.99 now"
    assert left_alone(maria)


def test_the_loser_of_two_sees_who_won_and_what_is_left(at_till, maria):
    for number in range(3):
        shop.code(f"CLB-{number}", shop.off("5.00"), customer=maria)
    other = Till(_another_cashier(), "Till 1")
    for each in (at_till, other):
        each.scan("7700 4412 0934", "COFFEE", "CLB-0")
    other.complete()
    before = points_of(maria)

    at_till.complete()

    what, why = at_till.said
    assert what == "Voucher CLB-0 was just used at Salem · Till 1"
    assert re.fullmatch(r"Maria Oliveira, .*[ap]m\. Nothing was taken here; Maria has 2 other vouchers left\.", why)
    assert (Order.objects.count(), Redemption.objects.count(), points_of(maria)) == (1, 1, before)
    assert at_till.page["sale"].codes == ()
    assert at_till.page["quote"].to_pay == Decimal("11.99")


def _another_cashier() -> Client:
    client = Client()
    client.force_login(User.objects.get(username="cashier"))
    return client


def test_what_is_held_no_other_till_can_take(at_till, maria):
    shop.code("CLB-0", shop.off("5.00"), customer=maria)
    at_till.scan("7700 4412 0934", "COFFEE", "CLB-0").press("hold")
    other = Till(_another_cashier(), "Till 1").scan("7700 4412 0934", "COFFEE", "CLB-0")

    assert at_till.said[0].startswith("Held until ")
    assert other.said[0] == "CLB-0 cannot be used"
    assert "held at Till 2 at Salem" in other.said[1]

    at_till.complete()
    assert Redemption.objects.count() == 1
    assert not Hold.objects.open(timezone.now()).exists()


def test_what_was_let_go_of_can_be_held_again(at_till, maria):
    at_till.scan("7700 4412 0934", "COFFEE").press("points:more").press("hold")
    again = at_till.sent
    at_till.see(at_till.client.post(at_till.address, again))
    assert (Hold.objects.count(), points_of(maria)) == (1, 400)

    at_till.press("release")
    assert points_of(maria) == 500

    at_till.press("hold")
    assert (Hold.objects.count(), points_of(maria)) == (2, 400)


def test_clearing_the_bill_lets_go_of_what_was_held(at_till, maria):
    at_till.scan("7700 4412 0934", "COFFEE").press("points:more").press("hold")
    assert points_of(maria) == 400

    at_till.press("clear")

    assert points_of(maria) == 500
    assert (at_till.page["sale"].lines, at_till.page["person"]) == ((), None)


def test_another_customer_does_not_get_the_first_ones_codes(at_till, maria):
    ann = shop.member(first_name="Ann", email="ann@example.com")
    shop.code("CLB-0", shop.off("5.00"), customer=maria)

    at_till.scan("7700 4412 0934", "COFFEE", "CLB-0", "ann@example.com")

    sale = at_till.page["sale"]
    assert (sale.customer, sale.codes, len(sale.lines)) == (ann.pk, (), 1)
    at_till.scan("CLB-0")
    assert at_till.said[0] == "CLB-0 cannot be used"


@pytest.mark.parametrize(
    "sent",
    [
        {"number": "\0" * 9, "do": "complete:0.00"},
        {"number": "260101-AAAAAAAA", "customer": "9" * 30, "do": "scan", "scan": "\0"},
        {"number": "260101-AAAAAAAA", "customer": "999999", "sku": "X", "name": "", "quantity": "1", "price": "1"},
        {"do": "undo:nothing"},
        {"do": "no such press"},
        {"do": "choose:x"},
    ],
)
def test_odd_forms_change_nothing(at_till, maria, sent):
    at_till.see(at_till.client.post(at_till.address, sent))

    assert left_alone(maria)


def test_the_statements_do_not_grow_with_the_vouchers(at_till, maria):
    def statements() -> int:
        with CaptureQueriesContext(connection) as counted:
            at_till.press("count")
        return len(counted)

    discount = shop.off("5.00")
    shop.code("CLB-0", discount, customer=maria)
    at_till.scan("7700 4412 0934", "COFFEE")
    statements()
    few = statements()
    for number in range(1, 15):
        shop.code(f"CLB-{number}", discount, customer=maria)

    assert statements() == few
    assert len(at_till.page["own"]) == 15


def test_a_voucher_of_last_week_is_not_said_to_be_used_just_now(at_till, maria):
    shop.code("CLB-0", shop.off("5.00"), customer=maria)
    at_till.scan("7700 4412 0934", "COFFEE", "CLB-0").complete()
    Redemption.objects.update(redeemed_at=timezone.now() - timedelta(days=7))
    at_till.scan("7700 4412 0934", "COFFEE", "CLB-0")

    assert at_till.said[0] == "CLB-0 cannot be used"
    assert "for order" in at_till.said[1]


def test_only_who_may_sell_opens_the_page_and_sees_it_in_the_menu(cashier, db):
    client = signed_in()

    assert client.get(reverse("till")).status_code == 403
    assert client.post(reverse("till"), {"do": "undo:1"}).status_code == 403
    assert f'href="{reverse("till")}"' not in client.get("/").content.decode()
    assert f'href="{reverse("till")}"' in cashier.get("/").content.decode()


def test_the_tier_its_first_benefit_and_the_way_to_the_next_are_shown(client):
    client.force_login(User.objects.create_superuser("dana"))
    silver = Tier.objects.create(name="Silver", threshold=0, benefits=["Free delivery", "Early sales"])
    Tier.objects.create(name="Gold", threshold=1500)
    who = shop.member(0, email="ann@example.com")
    Standing.objects.create(customer=who, tier=silver, since=timezone.now(), reason=Standing.Reason.REACHED)

    till = Till(client).scan("ann@example.com")

    assert "Tier Silver Free delivery · 1,500 pts to Gold" in till.text


def test_who_is_no_member_is_said_so_before_anything_is_tried(at_till, coffee):
    shop.rule()
    Tier.objects.create(name="Bronze", threshold=0)
    factories.customer(first_name="Tom", phone="+19785550111")

    at_till.scan("+1 978 555 0111", "COFFEE")

    assert "Not a member of the loyalty programme. Nothing is earned, and no points can be used." in at_till.text
    assert "Tier – Members only" in at_till.text
    assert "Use points" not in at_till.text
    assert (at_till.page["quote"].to_earn, at_till.page["may_complete"]) == (0, True)


@pytest.mark.parametrize(("days", "is_said"), [(29, True), (31, False)])
def test_points_that_expire_are_spoken_of_in_the_last_month_only(at_till, maria, days, is_said):
    midnight = store().local(timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    Lot.objects.update(expires_at=midnight + timedelta(days=days + 1))

    assert ("500 points can be spent until" in at_till.scan("7700 4412 0934").text) == is_said


def test_the_last_sales_are_found_among_those_of_the_last_hours(at_till, maria, coffee):
    now = store().local(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO store_order
                (customer_id, source, external_id, placed_at, completed_at, net, store_location, channel, discount_code)
            SELECT %s, 'till page', 'OLD-' || n, now() - interval '2 days', now() - interval '2 days', 10, 'Salem',
                'till', ''
            FROM generate_series(1, 3000) AS n
            """,
            [maria.pk],
        )
        cursor.execute("ANALYZE store_order")
    with CaptureQueriesContext(connection) as captured:
        shown.context(After(new(now)), Place("Salem", "Till 2"), now)
    [asked] = [each["sql"] for each in captured if '"rewards_receipt"."till" = ' in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + asked.replace("%", "%%"), [])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "order_by_completion" in plan, plan
