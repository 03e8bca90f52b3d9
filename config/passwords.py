"""The form in which the settings hold a password."""

import re
from typing import Annotated

from pydantic import AfterValidator

ARGON2 = re.compile(r"\$argon2(id|i|d)\$(v=\d+\$)?m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")


def _hash(text: str) -> str:
    if not ARGON2.fullmatch(text):
        raise ValueError("is no hash of a password: make one with mammonode hash-password")
    return text


PasswordHash = Annotated[str, AfterValidator(_hash)]
"""What `mammonode hash-password` prints: a password itself would admit nobody, and lie open in the file."""
