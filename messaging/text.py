"""The text of an e-mail's HTML, for readers without HTML."""

import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    (
        "p",
        "div",
        "tr",
        "table",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "hr",
        "br",
        "section",
    )
)
SKIPPED = frozenset(("head", "style", "script", "title"))


def as_text(html: str) -> str:
    """The words of an HTML page, a paragraph a line, each link followed by its address."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [re.sub(r"\s+", " ", line).strip() for line in "".join(reader.words).split("\v")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.skipping = 0
        self.address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag in SKIPPED:
            self.skipping += 1
        elif tag in BLOCKS:
            self.words.append("\v- " if tag == "li" else "\v")
        elif tag == "a":
            self.address = known.get("href") or ""
        elif tag == "img" and known.get("alt"):
            self.words.append(f"[{known['alt']}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in SKIPPED:
            self.skipping -= 1
        elif tag in BLOCKS:
            self.words.append("\v")
        elif tag == "a" and self.address:
            self.words.append(f" ({self.address}) ")
            self.address = ""

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.words.append(data)
