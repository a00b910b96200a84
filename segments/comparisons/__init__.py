"""What types of conditions share: comparing a text, a number or a date, and counting inside a window of time."""
