"""The DICOM listener: who may call, how much, how long."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from config.passwords import PasswordHash
from config.section import Section

AETitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
]
"""PS3.5 table 6.2-1, AE: at most 16 characters of the default repertoire, no backslash."""

Port = Annotated[int, Field(ge=1, le=65535)]

DroppedClass = Literal["SR", "SEG", "PR", "KO", "PDF"]


class Tls(Section):
    """DICOM TLS (PS3.15 B.12, BCP 195): certificates are read again when the files change."""

    enabled: bool = False
    certificate: Path | None = None
    private_key: Path | None = None
    trusted: Path | None = None
    require_client_certificate: bool = True

    @model_validator(mode="after")
    def complete(self) -> "Tls":
        if self.enabled and (self.certificate is None or self.private_key is None):
            raise ValueError("TLS is enabled: set certificate and private_key to PEM files")
        if self.enabled and self.require_client_certificate and self.trusted is None:
            raise ValueError(
                "client certificates are required: set trusted to the PEM file of the CA that signs them"
            )
        return self


class Peer(Section):
    """A calling application entity that may associate. `address` is an IP address or a network (10.1.0.0/16).

    `port` is where it listens itself: storage commitment reports go there (`listener.commitment`).
    """

    ae_title: AETitle
    address: str = "127.0.0.1"
    port: Port | None = None
    username: str | None = None
    password_hash: PasswordHash | None = Field(default=None, repr=False)
    maximum_associations: int = Field(default=25, ge=1)

    @field_validator("address")
    @classmethod
    def is_address(cls, address: str) -> str:
        ip_network(address, strict=False)
        return address


class Listener(Section):
    """The storage SCP. Loopback may call unless `open_on_loopback` is off; others must be listed in `peers`."""

    ae_title: AETitle = "MAMMONODE"
    bind: str = "0.0.0.0"  # noqa: S104 - a hospital's modalities are on other machines; peers are listed
    port: Port = 11112
    open_on_loopback: bool = True
    peers: tuple[Peer, ...] = ()
    dropped_classes: tuple[DroppedClass, ...] = ("SR", "SEG", "PR", "KO", "PDF")
    maximum_associations: int = Field(default=100, ge=1)
    associations_per_minute: int = Field(default=600, ge=1)
    association_timeout: float = Field(default=30.0, gt=0)
    dimse_timeout: float = Field(default=60.0, gt=0)
    network_timeout: float = Field(default=60.0, gt=0)
    idle_timeout: float = Field(default=120.0, gt=0)
    maximum_pdu: int = Field(default=131072, ge=4096, le=1 << 20)
    maximum_dataset: int = Field(default=2 << 30, ge=1 << 20)
    free_space: int = Field(default=2 << 30, ge=0)
    commitment: bool = False
    tls: Tls = Tls()
