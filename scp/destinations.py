"""Which destinations a study's results go to, and by which road."""

from collections.abc import Callable, Iterable, Sequence

from config.destinations import Destination
from config.settings import Settings
from inference.results import Reason
from scp import cstore, stow
from scp.outcome import Outcome, Parcel, UnreadableParcelError

SHADOW = Reason(
    code="shadow-mode",
    text="The node is in shadow mode: results are kept and nothing is sent.",
    remedy='To send again, set [delivery] mode = "send" and restart the node.',
)


def is_shadow(settings: Settings) -> bool:
    """True when nothing may leave the node."""
    return settings.delivery.mode == "shadow"


def chosen(settings: Settings, senders: Iterable[str]) -> list[Destination]:
    """The destinations for a study from these calling AE titles; none in shadow mode.

    A study from several senders goes where any one of them may send.
    """
    if is_shadow(settings):
        return []
    known = set(senders)
    return [item for item in settings.destinations if not item.senders or known.intersection(item.senders)]


def named(settings: Settings, name: str) -> Destination | None:
    """The destination of that name, None if the settings no longer have it."""
    return next((item for item in settings.destinations if item.name == name), None)


def send(
    destination: Destination, calling: str, parcels: Sequence[Parcel], wanted: Callable[[], bool] = lambda: True
) -> Outcome:
    """Send over DIMSE or DICOMweb; the destination's trouble is in the outcome. It stops when not `wanted`.

    Raises OSError: a file of ours cannot be read.
    """
    try:
        if destination.url is not None:
            return stow.send(destination, parcels)
        return cstore.send(destination, calling, parcels, wanted)
    except UnreadableParcelError as ours:
        raise ours.error from ours
