"""The DICOM Conformance Statement (PS3.2), written from the tables that the code itself runs on.

`python -m scp.conformance_statement` prints it; a test keeps deploy/conformance-statement.md equal.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

from pydicom.uid import UID

from config.listener import Listener
from config.settings import Settings
from scp.contexts import ANALYSED, DROPPED, JUDGED, TRANSFER_SYNTAXES, UNCOMPRESSED
from scp.cstore import STATUSES
from scp.incoming import CANNOT_UNDERSTAND, MISMATCH, OUT_OF_RESOURCES

RESULTS = (
    # kind, SOP class, what it is, sent by default
    ("cad-sr", "1.2.840.10008.5.1.4.1.1.88.50", "findings by TID 4000", True),
    ("tid1500", "1.2.840.10008.5.1.4.1.1.88.34", "measurement report by TID 1500; Comprehensive SR by setting", True),
    ("seg", "1.2.840.10008.5.1.4.1.1.66.4", "BINARY, one per image with findings", True),
    ("heatmap", "1.2.840.10008.5.1.4.1.1.66.4", "FRACTIONAL, probability", False),
    ("gsps", "1.2.840.10008.5.1.4.1.1.11.1", "outlines and labels, one per image", False),
    ("secondary-capture", "1.2.840.10008.5.1.4.1.1.7", "all views, lesions drawn", False),
    ("pdf", "1.2.840.10008.5.1.4.1.1.104.1", "the report", False),
    ("kos", "1.2.840.10008.5.1.4.1.1.88.59", "the images with findings", False),
)


def conformance_statement() -> str:
    """The whole statement, Markdown."""
    listener = Settings.model_fields["listener"].default
    return "\n".join(
        [*_introduction(), *_networking(listener), *_accepted(), *_storage(), *_sent(), *_commitment(), *_other()]
    )


def _introduction() -> Iterator[str]:
    yield from (
        "# DICOM Conformance Statement",
        "",
        "mammonode, generated from its own tables by `python -m scp.conformance_statement`.",
        "",
        "The node receives mammograms, analyses them, and stores Structured Reports and Segmentations. It is no",
        "archive: what it receives is removed after delivery (`retention`). Everything it writes is UNVERIFIED and for",
        "research use, not a diagnosis.",
        "",
        "| service | as SCU | as SCP |",
        "|---|---|---|",
        "| Verification | yes (`mammonode check`, the page) | yes |",
        "| Storage | results | mammograms |",
        "| Storage Commitment Push Model | by setting, per destination | by setting, off by default |",
        "| DICOMweb STOW-RS | destinations with a `url` | on the page's port, where it is enabled |",
        "",
    )


def _networking(listener: Listener) -> Iterator[str]:
    yield from (
        "## Associations",
        "",
        "| | default | setting |",
        "|---|---|---|",
        f"| AE title | {listener.ae_title} | `listener.ae_title` |",
        f"| port | {listener.port} | `listener.port` |",
        f"| maximum PDU | {listener.maximum_pdu} | `listener.maximum_pdu` |",
        f"| associations at once | {listener.maximum_associations} | `listener.maximum_associations` |",
        f"| associations a minute from one address | {listener.associations_per_minute} |"
        " `listener.associations_per_minute` |",
        f"| time for a request to associate | {listener.association_timeout:.0f} s | `listener.association_timeout` |",
        f"| time within a message | {listener.network_timeout:.0f} s | `listener.network_timeout` |",
        f"| time without a message | {listener.idle_timeout:.0f} s | `listener.idle_timeout` |",
        "| asynchronous operations | none (1, 1) | |",
        "| user identity negotiation | user name and passcode, per caller | `listener.peers` |",
        "",
        "The called AE title is checked. Callers are admitted by AE title and address (`listener.peers`); callers on the",
        "same machine are admitted unless `listener.open_on_loopback` is off. DICOM TLS by BCP 195 (TLS 1.2 and 1.3)",
        "both ways, client certificates required unless switched off.",
        "",
    )


def _accepted() -> Iterator[str]:
    yield from ("## What is accepted", "", "| SOP class | UID | |", "|---|---|---|")
    yield "| Verification | 1.2.840.10008.1.1 | |"
    yield from _rows(ANALYSED, "analysed if eligible")
    yield from _rows(JUDGED, "kept and judged: excluded with a reason")
    for name, classes in DROPPED.items():
        yield from _rows(sorted(classes), f"accepted, counted and dropped (`listener.dropped_classes`: {name})")
    yield from (
        "",
        "Images in these transfer syntaxes, in this order of preference within a presentation context:",
        "",
    )
    yield from ("| transfer syntax | UID |", "|---|---|")
    yield from (f"| {UID(syntax).name} | {syntax} |" for syntax in TRANSFER_SYNTAXES)
    yield from ("", f"Dropped classes in the first {len(UNCOMPRESSED)} of them and RLE Lossless.", "")


def _rows(classes: Sequence[str], what: str) -> Iterable[str]:
    return (f"| {UID(item).name} | {item} | {what} |" for item in classes)


def _storage() -> Iterator[str]:
    yield from (
        "## C-STORE as SCP",
        "",
        "Success is answered when the instance is on disk, synced and renamed into place; never before.",
        "",
        "| status | when |",
        "|---|---|",
        "| 0x0000 | kept, or known already, or of a class that is dropped |",
        f"| 0x{OUT_OF_RESOURCES:04X} | less than `listener.free_space` is left, or the disk cannot be written |",
        f"| 0x{MISMATCH:04X} | SOP class or instance UID of the data set and of the command differ |",
        f"| 0x{CANNOT_UNDERSTAND:04X} | the data set cannot be parsed, or is larger than `listener.maximum_dataset` |",
        "",
        "An instance that comes again with the same content changes nothing; with other content it makes a new revision",
        "of the result. Nothing in a received instance is changed.",
        "",
    )


def _sent() -> Iterator[str]:
    yield from ("## What is sent", "", "| kind | SOP class | UID | | default |", "|---|---|---|---|---|")
    for kind, sop_class, what, default in RESULTS:
        yield f"| {kind} | {UID(sop_class).name} | {sop_class} | {what} | {'yes' if default else 'by setting'} |"
    yield from (
        "",
        "Presentation contexts are proposed for what is to be sent: Explicit VR Little Endian and Implicit VR Little",
        "Endian; RLE Lossless for heat maps. SOP Instance UIDs are UUID-derived (2.25): the same input, model and",
        "settings give the same UID, so a repeated send is a duplicate and not a second result. A new revision names",
        "its predecessor.",
        "",
        "| status of the destination | what the node does |",
        "|---|---|",
    )
    doing = {None: "counts as stored", "soon": "tries again, for `delivery.retry_days`"}
    doing |= {"few": "tries again `delivery.refusal_retries` times", "never": "shows it as failed, at once"}
    for codes, retry, _ in STATUSES:
        span = f"0x{codes.start:04X}" + ("" if len(codes) == 1 else f" to 0x{codes[-1]:04X}")
        yield f"| {span} | {doing[retry]} |"
    yield from ("| none, or a lost association | tries again, for `delivery.retry_days` |", "")


def _commitment() -> Iterator[str]:
    yield from (
        "## Storage commitment",
        "",
        "As SCU (`destinations.commitment`): N-ACTION after delivery, N-EVENT-REPORT on the same or a new association;",
        "instances that are reported missing are sent again. As SCP (`listener.commitment`, **off by default, for this",
        "node is no archive**): it commits to what it holds and keeps for `retention.commitment_days`, and no longer.",
        "",
    )


def _other() -> Iterator[str]:
    yield from (
        "## Character sets, identity, coded terms",
        "",
        "Specific Character Set, patient and study modules are copied from the images; all of DICOM's character sets are",
        "read. Coordinates are those of the stored pixels of the analysed instance. The paper's grades are coded in a",
        "private scheme that each object identifies in its Coding Scheme Identification Sequence.",
        "",
        "What is analysed and what is excluded, and when a negative may be said:",
        "[radiologist's guide](guides/radiologist.md). What viewers show: [compatibility](compatibility.md).",
        "",
    )


if __name__ == "__main__":
    sys.stdout.write(conformance_statement())
