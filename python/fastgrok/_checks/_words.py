"""How many there are, in words."""


def plural(count: float, noun: str, shown: str | None = None) -> str:
    """Write how many there are: 1 row, 2 rows; `shown` is the count as it is to be read."""
    return f"{count if shown is None else shown} {noun}{'' if count == 1 else 's'}"
