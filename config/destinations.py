"""Where results go, and how long the node tries."""

from typing import Literal

from pydantic import Field, model_validator

from config.addresses import DicomWebAddress
from config.listener import AETitle, Port, Tls
from config.section import Section

ObjectKind = Literal["cad-sr", "tid1500", "seg", "heatmap", "gsps", "secondary-capture", "pdf", "kos"]


class Destination(Section):
    """A PACS that gets results: over DIMSE (`host`, `port`, `ae_title`) or DICOMweb (`url`).

    `senders` limits it to studies that came from these calling AE titles; empty means all.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    ae_title: AETitle = "PACS"
    calling_ae_title: AETitle | None = None
    host: str | None = None
    port: Port = 104
    url: DicomWebAddress | None = None
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    tls: Tls = Tls(require_client_certificate=False)
    objects: tuple[ObjectKind, ...] = ("cad-sr", "tid1500", "seg")
    senders: tuple[AETitle, ...] = ()
    commitment: bool = False
    commitment_timeout: float = Field(default=300.0, gt=0)
    connect_timeout: float = Field(default=10.0, gt=0)
    response_timeout: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def reachable(self) -> "Destination":
        if (self.host is None) == (self.url is None):
            raise ValueError("set either host (C-STORE) or url (STOW-RS)")
        return self


class Delivery(Section):
    """`mode = "shadow"` analyses and keeps, and sends nothing."""

    mode: Literal["send", "shadow"] = "send"
    retry_days: float = Field(default=7.0, gt=0)
    first_retry: float = Field(default=2.0, gt=0)
    longest_retry: float = Field(default=300.0, gt=0)
    refusal_retries: int = Field(default=5, ge=0)
