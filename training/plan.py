"""How a network is trained: `paper` to the letter, `default` the best that the figures support (see LEVERS.md)."""

from typing import Literal

from inference.recipe import Network, Recipe, paper_recipe
from inference.results import Frozen, Module

RecipeName = Literal["paper", "default"]
Trunk = Literal["full", "upper", "frozen"]
"""How much is trained: everything, all above layer2, or the last blocks."""


class Schedule(Frozen):
    """How long a training is: `epochs` passes over `variants` versions of each image."""

    variants: int
    epochs: int


class Plan(Frozen):
    """Everything of a training that is not data: it is stored in the checkpoint and in the weights' provenance.

    `trunk` frozen: stem to layer3.3 stay as ImageNet left them, and their output is computed once for each of
    `variants` versions of an image; `upper`: stem to layer2 stay, and the versions are kept as pixels. Of what
    follows only the blocks `learned` and fc are trained, and blocks of layer4 that are not learned pass on what they
    get. `margin`: input pixels beyond each side of the window that
    the network sees in training, so that a dense scan, where the neighbourhood goes on, meets what it was trained
    for.
    """

    name: RecipeName
    recipe: Recipe
    trunk: Trunk = "full"
    learned: tuple[str, ...] = ("layer4.0",)
    epochs: int
    batch: int = 32
    """Windows a step; parts of images (see crops) where not everything is trained."""
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    balanced: bool = False
    """Half of each batch cases, and the data sets in the same shares in both halves: no set tells the label."""
    benign_as_control: bool = False
    controls_per_image: int | None = None
    """None: every candidate window, as the paper has it."""
    simulated_share: float = 0.0
    """Share of the cases drawn that are simulated lesions in healthy tissue."""
    hardest: float = 1.0
    """Share of the controls, hardest first, that count as much as all of them together; 1: no difference."""
    variants: int = 1
    averaged_with: tuple[Schedule, ...] = ()
    """Further trainings from the same start, whose weights are averaged with this one's; of no more `variants`."""
    margin: int = 0
    rotation: float = 180.0
    shift: float = 0.1
    """Largest translation, as a share of the window."""
    zoom: float = 0.0
    stretch: float = 0.0
    contrast: float = 0.0
    mirrored: bool = False
    seed: int = 1

    def asked(self, **changes: int | None) -> "Plan":
        """The plan with what is not None; a schedule that is asked for is the only one."""
        given: dict[str, object] = {name: value for name, value in changes.items() if value is not None}
        alone: dict[str, object] = {"averaged_with": ()} if {"epochs", "variants"} & set(given) else {}
        return self.model_copy(update=given | alone)


def default_trunk(name: RecipeName, module: Module, *, on_cpu: bool) -> Trunk:
    """What the machine can train: on a CPU not everything, and on many images (nodules) only the last blocks."""
    if not on_cpu:
        return "full"
    return "upper" if name == "default" and module is Module.MICROCALCIFICATION else "frozen"


PAPER_EPOCHS = {Module.NODULE: 7, Module.MICROCALCIFICATION: 6}


def paper_plan(module: Module, trunk: Trunk, seed: int) -> Plan:
    """ResNet50, ImageNet start, softmax, Adam, batch 32, 7 or 6 passes, translation and rotation."""
    return Plan(name="paper", recipe=paper_recipe(module), trunk=trunk, epochs=PAPER_EPOCHS[module], seed=seed)


def default_plan(module: Module, trunk: Trunk, seed: int) -> Plan:
    """Dense scan at 160 input pixels, balanced batches, benign lesions and the hardest windows as controls."""
    recipe = paper_recipe(module).model_copy(update={"scan": "dense", "network": Network(input_size=160)})
    plan = Plan(
        name="default",
        recipe=recipe,
        trunk=trunk,
        epochs=12,
        learning_rate=1e-4,
        weight_decay=0.01,
        schedule="cosine",
        balanced=True,
        benign_as_control=True,
        controls_per_image=6,
        simulated_share=0.0 if module is Module.NODULE else 0.8,
        hardest=0.25,
        margin=32,
        shift=0.2,
        zoom=0.15,
        stretch=0.15,
        contrast=0.15,
        mirrored=True,
        seed=seed,
    )
    if trunk == "full":
        return plan
    if trunk == "upper":
        changes = {"learned": ("layer3", "layer4.0"), "variants": 6, "epochs": 2, "batch": 8}
        return plan.model_copy(update={**changes, "hardest": 0.1, "rotation": 20.0})
    learned = ("layer3.4", "layer3.5", "layer4.0")
    # a pass takes every version of an image: 2 passes over 3 of them
    versions: dict[str, object] = {"variants": 3, "rotation": 20.0, "epochs": 2}
    if module is Module.NODULE:  # the others have too few lesions for passes over the images as they are
        versions["averaged_with"] = (Schedule(variants=1, epochs=3),)
    return plan.model_copy(
        update={"learned": learned, "batch": 16, "learning_rate": 3e-4, "hardest": 0.1, **versions}
    )
