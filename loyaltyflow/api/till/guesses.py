"""How tills are told that too many codes were sent that nobody knows."""

from datetime import datetime

from rest_framework import status
from rest_framework.exceptions import APIException

from loyaltyflow import guesses
from loyaltyflow.models import ApiKey


class TooManyGuesses(APIException):
    """Too many codes that nobody knows were sent."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_guesses"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many codes were sent that nobody knows. {guesses.wait(seconds)}")
        self.wait = seconds


def must_be_few(key: ApiKey, customer: int | None, now: datetime) -> None:
    """Raise TooManyGuesses while the key, or the customer at it, has sent too many unknown codes lately."""
    if seconds := guesses.seconds_to_wait(key, customer, now):
        raise TooManyGuesses(seconds)
