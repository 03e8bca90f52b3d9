"""Augmentation on the device, whole batches at once: translation, rotation, and what a plan adds to them."""

import torch
from torch import Tensor
from torch.nn import functional

from training.plan import Plan

CONTEXT = 2
"""Side of a stored patch in windows: what may turn and shift into view is there, not black."""


def augmented(patches: Tensor, reach: Tensor, plan: Plan, generator: torch.Generator) -> Tensor:
    """(n, c, c) uint8 patches of CONTEXT windows -> (n, 1, s, s) grey in 0..1, s the input size and two margins.

    `reach` (n,): how far, as a share of the window, a sample may shift and keep its label. The numbers depend on
    the generator alone, which lives on the patches' device.
    """
    count, device = len(patches), patches.device

    def uniform(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator, device=device) * 2 - 1) * limit

    angle = torch.deg2rad(uniform(plan.rotation))
    zoom, stretch = torch.exp(uniform(plan.zoom)), torch.exp(uniform(plan.stretch))
    flip = torch.sign(uniform(1.0)) if plan.mirrored else torch.ones(count, device=device)
    limit = torch.minimum(reach, torch.full_like(reach, plan.shift))
    # window units to the patch's [-1, 1]
    shift_x, shift_y = (uniform(1.0) * limit * 2 / CONTEXT for _ in range(2))
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos * zoom * stretch * flip, -sin * zoom, shift_x], dim=1),
            torch.stack([sin * zoom * stretch * flip, cos * zoom, shift_y], dim=1),
        ],
        dim=1,
    )  # (n, 2, 3)
    grey = sampled(patches, theta, plan)
    if plan.contrast:
        gain = torch.exp(uniform(plan.contrast)).view(-1, 1, 1, 1)
        gamma = torch.exp(uniform(plan.contrast)).view(-1, 1, 1, 1)
        grey = (grey.clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)
    return grey


def unchanged(patches: Tensor, plan: Plan) -> Tensor:
    """The windows as they are: (n, c, c) uint8 -> (n, 1, s, s) grey in 0..1."""
    side = input_side(plan)
    first = (patches.shape[-1] - side) // 2
    return patches[:, None, first : first + side, first : first + side].float() / 255


def input_side(plan: Plan) -> int:
    """Pixels along the network's input in training."""
    return plan.recipe.network.input_size + 2 * plan.margin


def sampled(patches: Tensor, theta: Tensor, plan: Plan) -> Tensor:
    """Cut the affine (n, 2, 3) out of the patches, bilinear, at patch scale."""
    side = input_side(plan)
    scale = side / patches.shape[-1]
    scaled = torch.cat([theta[:, :, :2] * scale, theta[:, :, 2:]], dim=2)
    grid = functional.affine_grid(scaled, [len(patches), 1, side, side], align_corners=False)
    image = patches[:, None].float() / 255
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
