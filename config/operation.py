"""The node itself: folder, engine, page, retention, audit."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from config.addresses import DatabaseAddress, WebhookAddress
from config.listener import Port, Tls
from config.passwords import PasswordHash
from config.section import Section


class Node(Section):
    """`name` must be unique among the machines that share one database.

    A relative `folder` is beside the settings file; from the environment, or without a file, it is where one is.
    """

    folder: Path = Path("mammonode-data")
    name: str = Field(default="node-1", pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    drain_seconds: float = Field(default=60.0, ge=0)


class Engine(Section):
    """`database_url` is a PostgreSQL URL when one machine is not enough; SQLite in the node's folder otherwise."""

    database_url: DatabaseAddress | None = Field(default=None, repr=False)
    workers: int = Field(default=1, ge=1)
    lease_seconds: float = Field(default=30.0, gt=0)


class User(Section):
    """A login of the page; make the hash with `mammonode hash-password`."""

    name: str
    password_hash: PasswordHash = Field(repr=False)
    role: Literal["viewer", "operator"] = "viewer"


class Web(Section):
    """The page, over HTTPS with `certificate` and `private_key`. Without users it may only be bound to loopback."""

    enabled: bool = True
    bind: str = "127.0.0.1"
    port: Port = 8042
    users: tuple[User, ...] = ()
    maximum_upload: int = Field(default=2 << 30, ge=1 << 20)
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def tls(self) -> Tls:
        """What a browser needs: it shows no certificate of its own."""
        return Tls(
            enabled=self.certificate is not None,
            certificate=self.certificate,
            private_key=self.private_key,
            require_client_certificate=False,
        )

    @model_validator(mode="after")
    def guarded(self) -> "Web":
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("HTTPS needs both: set certificate and private_key to PEM files, or neither")
        if self.bind not in ("127.0.0.1", "::1", "localhost") and not self.users:
            raise ValueError("the page is bound beyond loopback without users: add [[web.users]] or bind 127.0.0.1")
        if len({user.name for user in self.users}) < len(self.users):
            raise ValueError("two users have the same name")
        return self


class Retention(Section):
    """Images and results go `days` after delivery; sooner, oldest first, on a disk fuller than `watermark`."""

    days: float = Field(default=14.0, ge=0)
    watermark: float = Field(default=0.85, gt=0, le=1)
    commitment_days: float = Field(default=3.0, ge=0)


class Alerts(Section):
    """A webhook that is called with JSON when a study or a delivery fails."""

    webhook: WebhookAddress | None = Field(default=None, repr=False)
