"""A hospital's own calibration and thresholds for the weights it uses, in a file that every result names."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from inference.atomic_file import write_atomically
from inference.calibration import Calibration
from inference.errors import WeightsError
from inference.results import Frozen, Module, OperatingPoint, Reason

FORMAT_VERSION = 1

_REMEDY = "Make it anew with mammonode-train calibrate for the weights in use."


class ModuleCalibration(Frozen):
    """Measured with the weights file of this SHA-256, and true for no other."""

    weights_sha256: str
    calibration: Calibration
    thresholds: tuple[OperatingPoint, ...]


class SiteCalibration(Frozen):
    """The file's content; `created` is ISO 8601 UTC."""

    format: int = FORMAT_VERSION
    created: str
    modules: dict[Module, ModuleCalibration]


@dataclass(frozen=True)
class LoadedCalibration:
    """What was read, and the SHA-256 of the file."""

    modules: Mapping[Module, ModuleCalibration]
    sha256: str

    def of(self, module: Module, weights_sha256: str) -> ModuleCalibration | None:
        """The module's part, None where the file has none.

        Raises WeightsError: it was measured with other weights.
        """
        part = self.modules.get(module)
        if part is not None and part.weights_sha256 != weights_sha256:
            raise _error(
                "site-calibration-of-other-weights",
                f"The site calibration of {module.value} was made for weights {part.weights_sha256[:12]}, "
                f"those in use are {weights_sha256[:12]}.",
            )
        return part


def save_site_calibration(path: Path, calibration: SiteCalibration) -> str:
    """Write the file atomically; returns its SHA-256."""
    data = calibration.model_dump_json(indent=2).encode()
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def load_site_calibration(path: Path) -> LoadedCalibration:
    """Read the file. Raises WeightsError: it is missing, damaged or of another format."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _error("site-calibration-missing", f"{path} cannot be read: {error.strerror}.") from error
    try:
        content = SiteCalibration.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _error(
            "site-calibration-damaged", f"{path.name} is no site calibration: {where}: {first['msg']}."
        ) from error
    if content.format != FORMAT_VERSION:
        raise _error(
            "site-calibration-damaged", f"{path.name} has format {content.format}, known is {FORMAT_VERSION}."
        )
    return LoadedCalibration(content.modules, hashlib.sha256(data).hexdigest())


def _error(code: str, text: str) -> WeightsError:
    return WeightsError(Reason(code=code, text=text, remedy=_REMEDY))
