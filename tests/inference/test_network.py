"""The network, its start weights, and that the folded form says the same."""

import copy
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision.models import resnet50

from inference.errors import WeightsError
from inference.evidence import EvidenceNetwork
from inference.network import build_network, load_start_weights
from inference.openvino_network import OpenVinoNetwork
from inference.recipe import Network
from inference.scoring import to_network_input


@pytest.fixture(scope="module")
def random_network() -> torch.nn.Module:
    """Random weights, and batch norms whose statistics matter."""
    torch.manual_seed(7)
    network = build_network(Network())
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("size", [224, 96])
def test_folded_network_gives_the_same_scores(random_network: torch.nn.Module, size: int) -> None:
    grey = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(1))
    settings = Network()
    folded = EvidenceNetwork(random_network, settings)
    with torch.inference_mode():
        softmax = random_network(to_network_input(grey, settings)).softmax(dim=1)[:, 1]
        evidence = folded(grey)
    assert evidence.shape == (2, size // 32, size // 32)
    torch.testing.assert_close(evidence.mean(dim=(1, 2)).sigmoid(), softmax, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("silent", "blocks", "reach"),
    [((), 16, 8), (("layer4.1", "layer4.2"), 14, 6), (("layer2.0", "layer3.5"), 15, 7)],
)
def test_branches_that_are_switched_off_are_left_out(
    random_network: torch.nn.Module, silent: tuple[str, ...], blocks: int, reach: int
) -> None:
    network = copy.deepcopy(random_network)
    for name in silent:
        for parameter in network.get_submodule(f"{name}.bn3").parameters():
            torch.nn.init.zeros_(parameter)
        torch.nn.init.zeros_(network.get_submodule(f"{name}.bn3").get_buffer("running_mean"))
    grey = torch.rand(1, 1, 160, 96, generator=torch.Generator().manual_seed(2))
    settings = Network()
    folded = EvidenceNetwork(network, settings)
    with torch.inference_mode():
        softmax = network(to_network_input(grey, settings)).softmax(dim=1)[:, 1]
        torch.testing.assert_close(folded(grey).mean(dim=(1, 2)).sigmoid(), softmax, rtol=0, atol=1e-5)
        torch.testing.assert_close(OpenVinoNetwork(folded, 1, 1, "f32")(grey), folded(grey), rtol=1e-5, atol=1e-4)
    layers = [layer for layer in folded.body.children() if isinstance(layer, torch.nn.Sequential)]
    assert (sum(len(layer) for layer in layers), folded.reach) == (blocks, reach)


def test_folding_leaves_the_trained_network_as_it_was(random_network: torch.nn.Module) -> None:
    before = {name: tensor.clone() for name, tensor in random_network.state_dict().items()}
    EvidenceNetwork(random_network, Network())
    for name, tensor in random_network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_it_is_torchvisions_network_down_to_the_random_start() -> None:
    torch.manual_seed(3)
    ours = build_network(Network(stride_in_1x1=False)).eval()
    torch.manual_seed(3)
    theirs = resnet50(weights=None, num_classes=2).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor), name
    x = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x))


def test_stride_lies_in_the_first_convolution_of_a_block() -> None:
    network = build_network(Network())
    for layer in ("layer2", "layer3", "layer4"):
        assert network.get_submodule(f"{layer}.0.conv1").stride == (2, 2)
        assert network.get_submodule(f"{layer}.0.conv2").stride == (1, 1)
    assert build_network(Network(stride_in_1x1=False)).get_submodule("layer2.0.conv2").stride == (2, 2)


def _imagenet_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """As a file from elsewhere has it: 1,000 classes, no counters."""
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches_tracked" not in name}
    return state | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_start_weights_fill_all_but_the_last_layer(
    random_network: torch.nn.Module, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"start.{suffix}"
    state = _imagenet_state(random_network)
    if suffix == "pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    network = build_network(Network())
    head = network.get_submodule("fc").weight.clone()
    load_start_weights(network, path)
    assert torch.equal(network.state_dict()["layer3.2.conv2.weight"], state["layer3.2.conv2.weight"])
    assert torch.equal(network.get_submodule("fc").weight, head)


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape", "no file", "no tensors"])
def test_unfit_start_weights_are_refused(random_network: torch.nn.Module, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "start.safetensors"
    state = _imagenet_state(random_network)
    if fault == "missing":
        del state["layer1.0.bn2.running_var"]
    if fault == "unknown":
        state["layer5.weight"] = torch.zeros(1)
    if fault == "shape":
        state["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    if fault == "no tensors":
        path.write_bytes(b"not a file of tensors")
    elif fault != "no file":
        safetensors.torch.save_file(state, path)
    with pytest.raises(WeightsError) as caught:
        load_start_weights(build_network(Network()), path)
    assert caught.value.reason.code == "start-weights-unfit"
    assert "torchvision" in caught.value.reason.remedy


def test_no_start_weights_keep_the_random_start() -> None:
    network = build_network(Network())
    before = network.get_submodule("conv1").weight.clone()
    load_start_weights(network, None)
    assert torch.equal(network.get_submodule("conv1").weight, before)
