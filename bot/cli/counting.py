"""Numbers with their nouns, as the command line prints them."""


def counted(number: int, noun: str) -> str:
    """`1 service`, `2 services`; for nouns whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
