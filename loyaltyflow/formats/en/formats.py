"""How dates and times read in English, here as everywhere: Nov 23, 2026, 2:14 pm."""

DATE_FORMAT = SHORT_DATE_FORMAT = "M j, Y"
TIME_FORMAT = "g:i a"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "M j, Y, g:i a"
MONTH_DAY_FORMAT = "M j"
