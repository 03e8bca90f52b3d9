"""Who made an object and what it is called: UIDs, device, equipment, revisions.

UIDs are 2.25 from a UUID (PS3.5 B.2) over everything that decides an object's content: a repeat makes the
same object, any change makes another.
"""

import dataclasses
import hashlib
import json
import uuid

from pydicom import Dataset
from pydicom.sequence import Sequence

from inference.results import StudyResult
from scp.objects.content_tree import Code
from scp.objects.context import COPIED, local
from scp.objects.inputs import Inputs

MODEL_NAME = "mammonode"
LABEL_MAP_SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
"""Newer than pydicom 3.0.2."""
IMPLEMENTATION_CLASS_UID = "2.25.140282647413865144774725584649482393799"
IMPLEMENTATION_VERSION_NAME = "MAMMONODE"
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")

_NAMESPACE = uuid.UUID("5f3c8a52-6f0e-5b7e-9d0a-0e2f7a4c1d11")
_EQUIPMENT = ("Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName", "DeviceSerialNumber")


def uid_from(*parts: str) -> str:
    """A 2.25 UID that depends on the parts alone."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(parts)).int}"


def device_uid(result: StudyResult) -> str:
    """The UID of the device that spoke: it follows the weights and recipes (IHE AI Results, device observer)."""
    hashes = sorted(
        (model.weights_sha256, model.recipe_sha256, model.calibration_sha256 or "") for model in result.models
    )
    return uid_from("device", json.dumps(hashes))


def serial_number(result: StudyResult) -> str:
    """Device Serial Number: the end of the device UID."""
    return device_uid(result)[-16:]


def content_digest(inputs: Inputs) -> str:
    """SHA-256 over what decides the objects: result, copied header attributes, options, revision.

    File names and the bytes of a source's encoding do not count.
    """
    headers = {uid: _copied(source) for uid, source in sorted(inputs.sources.items())}
    result = inputs.result.model_dump(mode="json", exclude={"images": {"__all__": {"file"}}})
    # which kinds are built, and for whom, changes none of them
    options = {key: value for key, value in dataclasses.asdict(inputs.options).items() if key != "kinds"}
    revision = [inputs.revision.number, sorted(inputs.revision.predecessor.items())]
    canonical = json.dumps([headers, result, options, revision], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def instance_uid(digest: str, kind: str, image_uid: str = "") -> str:
    """SOP Instance UID of an object, of one image where there is one for each."""
    return uid_from("instance", kind, image_uid, digest)


def series_uid(inputs: Inputs, kind: str, image_uid: str = "") -> str:
    """Series Instance UID: the same for every revision of a study's objects of one kind (and image)."""
    return uid_from("series", kind, image_uid, inputs.result.study_instance_uid)


def put_equipment(ds: Dataset, inputs: Inputs) -> None:
    """General and Enhanced General Equipment (PS3.3 C.7.5.1, C.7.5.2), Contributing Equipment (C.12.1).

    The device UID stands in both; the serial number is its end.
    """
    result, options = inputs.result, inputs.options
    ds.Manufacturer = options.manufacturer
    ds.ManufacturerModelName = MODEL_NAME
    ds.DeviceSerialNumber = serial_number(result)
    ds.DeviceUID = device_uid(result)
    ds.SoftwareVersions = [result.software_version, *(f"{m.module} {m.version}"[:64] for m in result.models)]
    institution = options.institution or inputs.first.get("InstitutionName")
    if institution:
        ds.InstitutionName = institution
    ds.ContributingEquipmentSequence = Sequence([*_acquisition(inputs), _processing(inputs)])


def _processing(inputs: Inputs) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = PROCESSING_EQUIPMENT.sequence()
    item.Manufacturer = inputs.options.manufacturer
    item.ManufacturerModelName = MODEL_NAME
    item.SoftwareVersions = inputs.result.software_version
    item.DeviceUID = device_uid(inputs.result)
    item.ContributionDateTime = local(inputs.revision.written, inputs.first).strftime("%Y%m%d%H%M%S")
    weights = "; ".join(
        f"{m.module} {m.name} {m.version} weights {m.weights_sha256[:16]}" for m in inputs.result.models
    )
    item.ContributionDescription = f"Computer-aided detection by {weights or 'no network'}"[:1024]
    return item


def _acquisition(inputs: Inputs) -> list[Dataset]:
    """One item for each different device that made the images; a device without a maker's name has none."""
    items: dict[tuple[str, ...], Dataset] = {}
    for image in inputs.referenced:
        source = inputs.source(image)
        maker = tuple(str(source.get(keyword) or "") for keyword in _EQUIPMENT)
        if not maker[0] or maker in items:
            continue
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = ACQUISITION_EQUIPMENT.sequence()
        for keyword, value in zip(_EQUIPMENT, maker, strict=True):
            if value:
                setattr(item, keyword, value)
        items[maker] = item
    return list(items.values())


def _copied(source: Dataset) -> str:
    kept = Dataset()
    for keyword in (*COPIED, *_EQUIPMENT):
        if keyword in source:
            kept[keyword] = source[keyword]
    return kept.to_json(suppress_invalid_tags=True)
