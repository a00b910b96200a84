"""Feed readers see each event once, whatever is committed late and however `now` moves. All with real commits."""

from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from loyaltyflow.sql import oldest_running_transaction
from loyaltyflow.store import events
from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Event, FeedReader
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def seen(now: datetime, reader: str = "test") -> list[str]:
    with FeedReader.read(reader, now) as unseen:
        return sorted(unseen.values_list("key", flat=True))


@pytest.fixture
def connect():
    """Makes further real connections to a database of this server, each in a transaction of its own."""
    made = []

    def connected(name: str | None = None):
        other = connection.copy()
        if name:
            other.settings_dict = {**other.settings_dict, "NAME": name}
        other.ensure_connection()
        other.set_autocommit(False)
        made.append(other)
        return other.connection

    yield connected
    for other in made:
        other.connection.rollback()
        other.close()


@pytest.fixture
def who():
    return factories.customer()


INSERT = "INSERT INTO store_event (name, customer_id, occurred_at, key) VALUES ('coffee_tasted', %s, %s, %s)"


def test_each_event_is_seen_once_by_each_reader(who, now):
    happened("coffee_tasted", who.pk, now, "one")
    assert (seen(now), seen(now), seen(now, "other")) == (["one"], [], ["one"])

    happened("coffee_tasted", who.pk, now - timedelta(days=9), "an old one, told late")
    assert (seen(now), seen(now)) == (["an old one, told late"], [])


def test_a_transaction_that_commits_late_is_still_seen(who, now, connect):
    slow = connect()
    slow.execute(INSERT, [who.pk, now, "slow"])
    happened("coffee_tasted", who.pk, now, "fast")
    ids = dict(Event.objects.values_list("key", "pk"))

    assert seen(now) == []  # the fast one waits for the slow one, lest the watermark pass it by
    slow.commit()
    ids = dict(Event.objects.values_list("key", "pk"))
    assert ids["slow"] < ids["fast"]
    assert seen(now) == ["fast", "slow"]
    assert seen(now) == []


def test_a_late_commit_with_an_id_below_the_watermark_is_still_seen(who, now, connect):
    slow, quick = connect(), connect()
    with connection.cursor() as numbers:  # for itself, as taking a number may begin a transaction
        numbers.execute("SELECT nextval(pg_get_serial_sequence('store_event', 'id'))")
        late_id = numbers.fetchone()[0]
    quick.execute(INSERT, [who.pk, now, "quick"])
    quick.commit()
    assert seen(now) == ["quick"]
    slow.execute(INSERT.replace("(name", "(id, name").replace("('", "(%s, '"), [late_id, who.pk, now, "late"])
    slow.commit()

    assert Event.objects.get(key="late").pk < Event.objects.get(key="quick").pk
    assert (seen(now), seen(now)) == (["late"], [])


def test_a_rolled_back_transaction_holds_nothing_up(who, now, connect):
    slow = connect()
    slow.execute(INSERT, [who.pk, now, "never"])
    happened("coffee_tasted", who.pk, now, "fast")
    slow.rollback()

    assert seen(now) == ["fast"]


def test_a_transaction_of_another_database_holds_nothing_up(who, now, connect):
    elsewhere = connect("postgres")
    elsewhere.execute("SELECT pg_current_xact_id()")
    happened("coffee_tasted", who.pk, now, "here")

    assert seen(now) == ["here"]


def test_whose_a_transaction_is_gets_looked_up_again_if_it_began_after_the_first_look(connect):
    with transaction.atomic():
        for _ in range(2):
            elsewhere, quick = connect("postgres"), connect()
            [running] = elsewhere.execute("SELECT pg_current_xact_id()::text").fetchone()
            quick.execute("SELECT pg_current_xact_id()")
            quick.commit()

            assert oldest_running_transaction() > int(running)


def test_the_readers_own_transaction_is_not_past(who, now, connect):
    with FeedReader.read("test", now) as unseen:
        happened("coffee_tasted", who.pk, now, "my own")
        younger = connect()
        younger.execute("SELECT pg_current_xact_id()")
        younger.commit()
        assert not unseen.exists()
        assert oldest_running_transaction() <= Event.objects.get(key="my own").transaction

    assert (seen(now), seen(now)) == (["my own"], [])


def test_a_moving_now_meets_each_event_when_it_happens(who, now):
    for day in range(4):
        happened("coffee_tasted", who.pk, now + timedelta(days=day), f"day {day}")

    days = [seen(now + timedelta(days=day)) for day in (-1, 0, 1, 1, 3)]

    assert days == [[], ["day 0"], ["day 1"], [], ["day 2", "day 3"]]


@pytest.mark.parametrize("some_news", [True, False])
def test_an_earlier_now_than_the_last_sees_nothing(who, now, some_news):
    if some_news:
        happened("coffee_tasted", who.pk, now - timedelta(days=1), "first")
    seen(now)
    happened("coffee_tasted", who.pk, now - timedelta(days=1), "second")

    assert seen(now - timedelta(hours=1)) == []
    assert seen(now) == ["second"]


def test_a_reading_that_fails_is_done_again(who, now):
    happened("coffee_tasted", who.pk, now, "one")

    with pytest.raises(ZeroDivisionError), FeedReader.read("test", now) as unseen:
        assert unseen.count() == 1
        happened("coffee_tasted", who.pk, now, "of the failed block")
        raise ZeroDivisionError

    assert seen(now) == ["one"]


def test_two_readings_at_once_do_not_see_the_same(who, now, connect):
    seen(now - timedelta(days=1))
    happened("coffee_tasted", who.pk, now, "one")
    other = connect()
    other.execute("SELECT 1 FROM store_feedreader WHERE name = 'test' FOR UPDATE")

    assert seen(now) == []
    assert seen(now, "other") == ["one"]
    other.rollback()
    assert seen(now) == ["one"]


def test_reading_twice_at_the_same_now_leaves_the_reader_as_it_is(who, now):
    happened("coffee_tasted", who.pk, now, "one")
    seen(now)
    before = FeedReader.objects.values().get()
    happened("coffee_tasted", who.pk, now + timedelta(days=1), "not yet")

    seen(now)

    assert FeedReader.objects.values().get() == before


def test_the_watermark_never_goes_back(who, now, monkeypatch):
    happened("coffee_tasted", who.pk, now, "one")
    seen(now)
    with monkeypatch.context() as patch:
        patch.setattr(events, "oldest_running_transaction", lambda: 3)
        assert seen(now + timedelta(minutes=1)) == []

    assert seen(now + timedelta(minutes=2)) == []


@pytest.mark.parametrize("ahead", [1_000_000_000, 40])
def test_a_feed_restored_on_another_server_is_read_on_from_where_it_was(who, now, ahead):
    happened("coffee_tasted", who.pk, now, "seen before the backup")
    seen(now)
    happened("coffee_tasted", who.pk, now, "not seen before the backup")
    Event.objects.update(transaction=F("transaction") + ahead)
    FeedReader.objects.update(transaction=F("transaction") + ahead)
    happened("coffee_tasted", who.pk, now + timedelta(seconds=1), "on the new server")

    assert seen(now + timedelta(minutes=1)) == ["not seen before the backup", "on the new server"]

    for number in range(60):
        happened("coffee_tasted", who.pk, now - timedelta(days=1), f"told late {number}")
    assert len(seen(now + timedelta(minutes=2))) == 60
    assert seen(now + timedelta(minutes=2)) == []
