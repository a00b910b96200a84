"""What customers do: logins, surveys, carts and pages, with properties that are not always what they should be."""

from segments.conditions.visited_page import VisitedPage

from . import aimed_at, happening, some_moment, tell

ANSWERS = [
    {"survey": "after purchase", "score": 2, "answer": "Too slow"},
    {"survey": "After Purchase", "score": 3},
    {"survey": "after purchase", "score": "4"},
    {"survey": "after purchase", "score": 5},
    {"survey": "yearly", "score": 1.5},
    {"survey": 7, "score": None},
    {"survey": "", "score": "none of your business"},
    {"score": True, "answer": ["tea"]},
    {},
]
CARTS = [
    {"cart": "1", "checked_out": False, "lines": ["tea"]},
    {"cart": "2", "checked_out": True, "lines": []},
    {"cart": "3", "checked_out": "no", "lines": None},
    {"cart": "4"},
]
PAGES = [
    "https://www.shop.example.com/tea/green/",
    "http://shop.example.com/TEA/black?sort=price#top",
    "https://shop.example.com/sale/",
    "https://shop.example.com/checkout",
    "https://other.example.com/sale",
    "/tea?sort=name",
    "/tea",
    "shop.example.com/sale?utm_source=mail&x=1",
    "not an address",
    42,
    None,
]


@happening
def log_in(chance, customer, at, now):
    tell("mobile_login", customer, at, **chance.choice([{"device": "phone"}, {}]))


@happening
def buy_in_the_app(chance, customer, at, now):
    tell("mobile_purchase", customer, at, net=20)


@happening
def answer_a_survey(chance, customer, at, now):
    tell("survey_answered", customer, at, **chance.choice(ANSWERS))


@happening
def fill_a_cart(chance, customer, at, now):
    tell("cart_updated", customer, at, **chance.choice(CARTS))


@happening
def visit_a_page(chance, customer, at, now):
    tell("page_visited", customer, at, url=chance.choice(PAGES))


@aimed_at(VisitedPage)
def visit_such_a_page(chance, customer, condition, now):
    tell(
        "page_visited", customer, some_moment(chance, now), url=condition.pattern.replace("*", chance.choice(["x", ""]))
    )
