"""Weights files: what is written is read, and nothing else."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from inference.calibration import Calibration
from inference.errors import WeightsError
from inference.recipe import Network
from inference.results import Module
from inference.weights_file import WeightsHeader, load_weights, save_weights
from phantoms.weights import brightness_state, small_header

Metadata = dict[str, str]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return brightness_state(Network(input_size=96))


@pytest.fixture
def file(weights: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    path = tmp_path / "nodule.safetensors"
    path.write_bytes((weights / "nodule.safetensors").read_bytes())
    return path


def rewritten(path: Path, change: Callable[[Metadata, dict[str, torch.Tensor]], None]) -> Path:
    """The file with its metadata or tensors changed, and otherwise well-formed."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    metadata: Metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    tensors = safetensors.torch.load(data)
    change(metadata, tensors)
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    return path


def with_header(path: Path, **changes: object) -> Path:
    """The file with keys of its header's JSON replaced."""

    def change(metadata: Metadata, tensors: dict[str, torch.Tensor]) -> None:
        metadata["mammonode"] = json.dumps(json.loads(metadata["mammonode"]) | changes)

    return rewritten(path, change)


def refusal(path: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert caught.value.reason.remedy
    return caught.value


def test_header_and_tensors_come_back(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    calibration = Calibration(kind="temperature", temperature=1.5, population="phantoms", prevalence=0.1)
    header = small_header(Module.NODULE, calibration=calibration, figures={"image": {"auc": 0.9, "ci": [0.8, 1.0]}})
    path = tmp_path / "nodule.safetensors"
    digest = save_weights(path, state, header)
    trained = load_weights(path)
    assert trained.header == header
    assert trained.sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert trained.network.training is False
    for name, tensor in trained.network.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=1e-3, atol=1e-3)
    identity = trained.identity
    assert (identity.module, identity.weights_sha256) == (Module.NODULE, digest)
    assert identity.recipe_sha256 == header.recipe.sha256
    assert (identity.calibration_population, identity.calibration_prevalence) == (None, None)
    assert identity.calibration_sha256 is None


def test_file_is_small_enough_to_ship(weights: Path) -> None:
    assert (weights / "nodule.safetensors").stat().st_size < 50e6


def test_truncated_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])
    assert refusal(file).reason.code == "weights-damaged"


def test_file_cut_within_its_header_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])
    assert refusal(file).reason.code == "weights-damaged"


def test_empty_file_is_refused(file: Path) -> None:
    file.write_bytes(b"")
    assert refusal(file).reason.code == "weights-damaged"


def test_flipped_bit_is_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1000] ^= 1
    file.write_bytes(data)
    error = refusal(file)
    assert error.reason.code == "weights-damaged"
    assert "digest" in str(error)


def test_pickle_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "nodule.safetensors"
    torch.save({"fc.bias": torch.zeros(2)}, path)
    assert refusal(path).reason.code == "weights-damaged"


def test_missing_file_is_refused_with_where_to_look(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nodule.safetensors")
    assert error.reason.code == "weights-missing"
    assert "analysis.weights" in error.reason.remedy


def test_file_without_a_recipe_is_refused(file: Path) -> None:
    assert refusal(rewritten(file, lambda metadata, _: metadata.pop("mammonode"))).reason.code == "weights-damaged"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"classes": ["malignant", "control"]},
        {"surprise": 1},
        {"recipe": {"version": 2}},
        {"recipe": {"version": 1, "module": "nodule", "windows": {"rule": "saliency"}}},
    ],
)
def test_unknown_format_or_recipe_is_refused(file: Path, changes: dict[str, object]) -> None:
    error = refusal(with_header(file, **changes))
    assert error.reason.code == "weights-recipe-unknown"
    assert "Use the version of mammonode" in error.reason.remedy


def test_missing_tensor_is_refused(file: Path, state: dict[str, torch.Tensor]) -> None:
    incomplete = {name: tensor for name, tensor in state.items() if name != "fc.bias"}
    with pytest.raises(WeightsError) as caught:
        save_weights(file, incomplete, small_header(Module.NODULE))
    assert caught.value.reason.code == "weights-not-the-network"


def test_network_with_other_classes_is_refused(file: Path, state: dict[str, torch.Tensor]) -> None:
    five = state | {"fc.weight": torch.zeros(5, 2048), "fc.bias": torch.zeros(5)}
    with pytest.raises(WeightsError) as caught:
        save_weights(file, five, small_header(Module.NODULE))
    assert caught.value.reason.code == "weights-not-the-network"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e6])
def test_numbers_that_float16_cannot_hold_are_refused_and_the_old_file_stays(
    file: Path, state: dict[str, torch.Tensor], number: float
) -> None:
    before = file.read_bytes()
    broken = state | {"fc.bias": torch.tensor([0.0, number])}
    with pytest.raises(WeightsError) as caught:
        save_weights(file, broken, small_header(Module.NODULE))
    assert caught.value.reason.code == "weights-not-finite"
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_header_without_thresholds_may_be_written_before_calibration() -> None:
    header = small_header(Module.NODULE)
    assert WeightsHeader.model_validate_json(header.model_copy(update={"thresholds": ()}).model_dump_json())


def test_reading_draws_no_random_numbers_of_the_callers(weights: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_weights(weights / "nodule.safetensors")
    assert torch.equal(torch.rand(1), expected)
