"""The look of the admin: its name, its menu, its style sheets."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

# Group → entries: title, icon, and the model whose list it opens, or the name of a page that is no list. Entries
# without a page, or that the person may not see, are left out.
MENU: dict[str, list[tuple[str, str, str]]] = {
    "": [
        ("Dashboard", "dashboard", "admin:index"),
        ("Till", "point_of_sale", "till"),
    ],
    "Customers": [
        ("Customers", "group", "store.customer"),
        ("Duplicates", "group_remove", "store.merge"),
        ("Segments", "filter_alt", "segments.segment"),
        ("Orders", "receipt_long", "store.order"),
        ("Events", "bolt", "store.event"),
        ("Products", "shopping_bag", "store.product"),
    ],
    "Marketing": [
        ("Workflows", "account_tree", "workflows.workflow"),
        ("Messages", "mail", "messaging.message"),
        ("Templates", "draft", "messaging.emailtemplate"),
        ("Campaigns", "campaign", "messaging.campaign"),
        ("Conversions", "shopping_cart_checkout", "analytics.conversion"),
    ],
    "Loyalty": [
        ("Programme", "tune", "rewards.programme"),
        ("Points entries", "toll", "rewards.entry"),
        ("Balances", "account_balance_wallet", "rewards.account"),
        ("Adjustments", "exposure", "rewards.adjustment"),
        ("Tiers", "military_tech", "rewards.tier"),
        ("Tier history", "swap_vert", "rewards.standing"),
        ("Discounts", "redeem", "rewards.discount"),
        ("Vouchers", "confirmation_number", "rewards.voucher"),
        ("Code pools", "inventory_2", "rewards.codepool"),
        ("Budgets", "savings", "rewards.budget"),
    ],
    "Settings": [
        ("Store", "store", "store.storesettings"),
        ("Event types", "category", "store.eventtype"),
        ("Blocked addresses", "block", "messaging.suppression"),
        ("API keys", "key", "loyaltyflow.apikey"),
        ("Changes", "history", "loyaltyflow.change"),
        ("Ticks", "timer", "loyaltyflow.tickrun"),
        ("Background work", "pending_actions", "django_q.schedule"),
        ("Staff", "badge", "auth.user"),
    ],
}


FOLDED = {"Settings"}  # groups that are opened by a press, for what is seldom needed


def address_of(place: str) -> str:
    """The name of the address of an entry of the menu."""
    return f"admin:{place.replace('.', '_')}_changelist" if "." in place else place


def page_style(request: HttpRequest) -> str:
    """The address of the style sheet of all pages."""
    return static("loyaltyflow/pages.css")


def page_script(request: HttpRequest) -> str:
    """The address of the script that draws the charts."""
    return static("loyaltyflow/pages.js")


def favicon(request: HttpRequest) -> str:
    """The address of the small picture in the browser's tab."""
    return static("loyaltyflow/favicon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "LoyaltyFlow",
    "SITE_HEADER": "LoyaltyFlow",
    "SITE_SUBHEADER": "loyaltyflow.pages.store_name",
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SITE_URL": None,
    "DASHBOARD_CALLBACK": "loyaltyflow.pages.dashboard",
    "STYLES": [page_style],
    "SCRIPTS": [page_script],
    "BORDER_RADIUS": "6px",
    "SIDEBAR": {"show_search": True, "navigation": "loyaltyflow.pages.menu"},
}
