"""What customers are told, and what they did with it."""

from .campaigns import Campaign
from .conditions import MessageEngagement, ReachableBy
from .emails import EmailTemplate, Link
from .engagement import Engagement
from .messages import Message
from .suppression import Suppression

__all__ = [
    "Campaign",
    "EmailTemplate",
    "Engagement",
    "Link",
    "Message",
    "MessageEngagement",
    "ReachableBy",
    "Suppression",
]
