"""Addresses that the node calls. None may hold a login: an address is shown, and a login is a secret."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _web(address: str, login: str) -> str:
    """`login` says where a login belongs instead. The address is never repeated: it may hold a password."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises ValueError where it is no number
    except ValueError:
        raise ValueError("is no address: write it as https://host:port/path") from None
    if "@" in parts.netloc:
        raise ValueError(f"must hold no user name and password: {login}")
    if parts.scheme not in ("http", "https") or not re.search(r"\w", parts.hostname or ""):
        raise ValueError("must begin with http:// or https:// and a host's name")
    return address


def _dicomweb(address: str) -> str:
    _web(address, "set username and password of the destination")
    if "?" in address or "#" in address:
        raise ValueError("must end with the path of the DICOMweb service, without ? and #")
    return address


def _webhook(address: str) -> str:
    return _web(address, "a webhook has no login; name an address whose path holds a token")


def _database(address: str) -> str:
    if not address:  # not set, as an environment with an empty variable says it
        return address
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in ("postgresql", "postgresql+psycopg"):
        raise ValueError("only PostgreSQL is supported: postgresql+psycopg://user:password@host/database")
    if rest.partition("?")[0].count("@") > 1:
        # what follows the first @ would be taken for the host, and shown
        raise ValueError("write an @ in the user name or the password as %40")
    return address


DicomWebAddress = Annotated[str, AfterValidator(_dicomweb)]
WebhookAddress = Annotated[str, AfterValidator(_webhook)]
DatabaseAddress = Annotated[str, AfterValidator(_database)]
