"""The look of the admin: its name, its menu, its style sheets."""

UNFOLD = {"SITE_TITLE": "LoyaltyFlow", "SITE_HEADER": "LoyaltyFlow"}
