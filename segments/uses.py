from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """One thing that names a segment, and so keeps it from being deleted and, unless it is past, archived."""

    kind: str  # as staff call it, such as “workflow” or “segment”
    name: str
    url: str  # of its page
    is_live: bool
    starts_on_entry: bool = False  # whoever enters the segment starts it
    drops_on_leave: bool = False  # whoever leaves the segment leaves it
    is_past: bool = False  # kept for the record: nobody goes by it any more, and it cannot be changed
    segment: int | None = None  # its id, if it is itself a segment

    def __str__(self) -> str:
        return f"{self.kind} “{self.name}”"
