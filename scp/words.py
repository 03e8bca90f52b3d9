"""Words for people."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """'1 image', '2 images'; `many` where the plural is no -s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
