"""E-mails to begin with: bodies in MJML beside this file, on one responsive base."""

from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).parent
CONTENT = "<!-- content -->"


class Starter(TypedDict):
    """The fields of an EmailTemplate that a starter fills in."""

    subject: str
    preview: str
    body: str


SUBJECTS = {
    "winback": (
        "We miss you{% if customer.first_name %}, {{ customer.first_name }}{% endif %}",
        "Your favorites are where you left them.",
    ),
    "winback_second": (
        "It has been a while{% if customer.first_name %}, {{ customer.first_name }}{% endif %}",
        "Much is new since your last visit.",
    ),
    "points_notice": (
        "Your points: {{ message.total }}",
        "You now have {{ points.balance }} points.",
    ),
    "points_boost": (
        "Points for you{% if customer.first_name %}, {{ customer.first_name }}{% endif %}",
        "Thank you for joining our loyalty programme.",
    ),
}


def starter(name: str) -> Starter:
    """Subject, preview and body of the starter; raises KeyError if there is none of that name."""
    subject, preview = SUBJECTS[name]
    base = (FOLDER / "base.mjml").read_text(encoding="utf-8")
    content = (FOLDER / f"{name}.mjml").read_text(encoding="utf-8")
    return {"subject": subject, "preview": preview, "body": base.replace(CONTENT, content.strip())}
