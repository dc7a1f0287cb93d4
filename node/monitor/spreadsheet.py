"""What goes into a CSV that people open with a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection")."""


def harmless(text: str) -> str:
    """A cell as a spreadsheet shows it: one that it would run as a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
