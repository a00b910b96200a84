"""What members earn: by purchases, by what happens to them, by joining; and what is taken back after returns."""

from .purchases import Earned, earn, earn_one, quoted
from .reversals import reverse
from .stage import settle

__all__ = ["Earned", "earn", "earn_one", "quoted", "reverse", "settle"]
