"""The figures in a few lines, for the terminal."""

from collections.abc import Mapping
from typing import Any

from inference.results import Module


def summary_lines(figures: Mapping[str, Any]) -> list[str]:
    """Of an evaluation: each module, and what both together mean for a healthy patient."""
    lines = [
        line
        for module in Module
        if figures[module.value]
        for line in module_lines(module.value, figures[module.value])
    ]
    if figures["study_specificity"] is not None:
        lines.append(f"Healthy patients without any mark of grade 4 or worse: {figures['study_specificity']:.1%}")
    return lines


def module_lines(name: str, own: Mapping[str, Any]) -> list[str]:
    """Of one module: AUCs with their intervals, then the cuts."""
    lines = [f"{name}: {own['images']} images of {own['patients']} patients"]
    for key in ("patch", "patch_benign_as_control", "image", "image_malignant_vs_benign"):
        figure = own[key]
        if figure is None:
            lines.append(f"  {key}: too few patients")
        else:
            low, high = figure["ci"]
            lines.append(f"  {key}: AUC {figure['auc']:.3f} ({low:.3f} to {high:.3f})")
    lines += [
        f"  grade {row['grade']} from {row['threshold']:.4f}: sensitivity {row['sensitivity']:.0%}, "
        f"specificity {row['specificity']:.0%}"
        for row in own["table"] or ()
    ]
    for row in own.get("contrast") or ():
        if "auc" in row:
            lines.append(f"  contrast to noise {row['contrast_to_noise']:g}: AUC {row['auc']:.3f}")
    return lines
