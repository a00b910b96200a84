import re

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

PAGE_HELP = (
    "Such as /tea/*, shop.example.com/sale or */checkout. * stands for any text. Whether http or https, www., a slash "
    "at the end and capitals do not matter; what follows ? counts only if it is written here, what follows # never."
)


class MatchesPage(models.Model):
    """A page by the pattern of its address.

    A pattern that begins with / means that path on any site. * stands for any text, also across slashes: /tea/* is
    every page below /tea, but not that page itself.
    """

    pattern = models.CharField("page", max_length=500, help_text=PAGE_HELP)

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Keep the pattern without spaces around it; refuse one that is not an address."""
        super().clean()
        self.pattern = self.pattern.strip()
        if self.pattern and re.search(r"\s", self.pattern):
            reason = f"“{self.pattern}” has a space in it, which no address has. Write %20 or * instead."
            raise ValidationError({"pattern": reason})

    def is_page(self) -> Q:
        """Which page_visited events are of such a page."""
        return Q(properties__url__iregex=self.expression())

    def expression(self) -> str:
        """The pattern as a regular expression for whole addresses, as they were sent in."""
        page = re.sub(r"^([a-z][a-z0-9+.-]*:)?//(www\.)?|^www\.", "", self.pattern.strip(), flags=re.IGNORECASE)
        path, query_mark, query = page.partition("#")[0].partition("?")
        site = "[^/?#]*" if path.startswith("/") else ""
        body = "[^?#]*".join(map(re.escape, path.rstrip("/").split("*")))
        asked = r"\?" + "[^#]*".join(map(re.escape, query.split("*"))) if query_mark else r"(\?[^#]*)?"
        return rf"^(([a-z][a-z0-9+.-]*:)?//)?(www\.)?{site}{body}(?<!/)/*{asked}(#.*)?$"
