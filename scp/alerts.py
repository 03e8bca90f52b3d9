"""A webhook for what failed for good."""

import structlog
from httpx import HTTPError, post

from inference.results import Frozen, Reason

log = structlog.get_logger()

TIMEOUT = 10.0


class Alert(Frozen):
    """What failed: a study, or its delivery to one destination. Without patient identity."""

    study: str
    destination: str | None = None
    reason: Reason


def send_alert(webhook: str | None, alert: Alert) -> None:
    """POST the alert as JSON. A webhook that does not answer is logged and changes nothing else."""
    if webhook is None:
        return
    content = {"event": "failed", **alert.model_dump(mode="json")}
    try:
        post(webhook, json=content, timeout=TIMEOUT).raise_for_status()
    except HTTPError as error:
        log.warning("webhook did not take an alert", study=alert.study, error=type(error).__name__)
