"""Numbers with their nouns, as the command line prints them."""


def counted(number: int, noun: str) -> str:
    """`1 service`, `2 services`; for nouns whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(seconds: float) -> str:
    """`3 h 12 min`, `6 d 2 h`, `45 s`: the two largest units, rounded up: what is missing is never said to be nothing."""
    whole = -int(-seconds // 1)
    whole = -(-whole // 60) * 60 if whole >= 3600 else whole
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts[:2]) or "0 s"
