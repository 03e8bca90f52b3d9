"""The evaluation as a report that a clinician can read: Markdown and HTML, with plots."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display on a server

from markdown_it import MarkdownIt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from inference.results import Module
from training.figures import roc_points
from training.labels import Label
from training.records import Record, benign_scores, healthy_scores, window_scores

WARNING = "Research use only, not a diagnosis. Figures hold for images like those evaluated, and for no others."
ROWS = (
    ("patch", "Windows: malignant against healthy tissue (the paper's protocol)"),
    ("patch_benign_as_control", "Windows: benign lesions are controls too (harder)"),
    ("image", "Images: malignant against healthy (the paper's protocol)"),
    ("image_malignant_vs_benign", "Images: malignant against benign lesion (harder)"),
)


def write_report(
    folder: Path, figures: Mapping[str, Any], records: Mapping[Module, Sequence[Record]], notes: Sequence[str]
) -> Path:
    """Write evaluation.json, report.md, report.html and the plots; returns the HTML file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    for module, found in records.items():
        _plots(folder / f"{module.value}.png", module, found, figures[module.value])
    text = report_text(figures, notes)
    (folder / "report.md").write_text(text, encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_as_html(text), encoding="utf-8")
    return page


def report_text(figures: Mapping[str, Any], notes: Sequence[str]) -> str:
    """The report in Markdown."""
    lines = ["# Evaluation", "", f"**{WARNING}**", ""]
    lines += [f"- {note}" for note in notes]
    if figures.get("study_specificity") is not None:
        share = figures["study_specificity"]
        lines += ["", f"Of the healthy patients, {share:.0%} had no image marked by any module (grade 4 or worse)."]
    for module in Module:
        own = figures.get(module.value)
        if own is not None:
            lines += _module_lines(module, own)
    return "\n".join(lines) + "\n"


def _module_lines(module: Module, own: Mapping[str, Any]) -> list[str]:
    lines = ["", f"## {module.value.capitalize()}", "", f"{own['images']} images of {own['patients']} patients.", ""]
    lines += ["| question | AUC | 95 % interval | malignant | controls |", "|---|---|---|---|---|"]
    lines += [_auc_row(words, own[key]) for key, words in ROWS]
    lines += ["", f"![ROC, FROC and calibration]({module.value}.png)", ""]
    lines += [f"- Malignant lesions that a scanned window holds: {_percent(own['candidate_recall'])}"]
    lines += [f"- Images whose worst window is on the lesion: {_percent(own['localisation_top1'])}"]
    lines += [f"- Brier score of the probabilities (0 is perfect): {_number(own['brier'])}"]
    if own["table"]:
        lines += ["", "| grade | score from | sensitivity | specificity | PPV | NPV |", "|---|---|---|---|---|---|"]
        for row in own["table"]:
            cells = [_with_interval(row, name) for name in ("sensitivity", "specificity", "ppv", "npv")]
            lines.append(f"| {row['grade']} | {row['threshold']:.4f} | {' | '.join(cells)} |")
    if own.get("contrast"):
        lines += ["", "Lesions pasted into healthy tissue, by contrast-to-noise ratio:", ""]
        lines += ["| contrast to noise | places | AUC | marked | the same places without |", "|---|---|---|---|---|"]
        lines += [_contrast_row(row) for row in own["contrast"]]
    for name, groups in own["groups"].items():
        lines += ["", f"By {name.replace('_', ' ')} (AUC of images, malignant against healthy; against benign):", ""]
        lines += [
            f"- {group}: {_short(figures['image'])}; {_short(figures['image_malignant_vs_benign'])}"
            for group, figures in groups.items()
        ]
    if own.get("skipped"):
        lines += ["", f"{len(own['skipped'])} image(s) could not be read:", *(f"- {line}" for line in own["skipped"])]
    return lines


def _auc_row(words: str, figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return f"| {words} | too few patients | | | |"
    low, high = figure["ci"]
    return f"| {words} | {figure['auc']:.3f} | {low:.3f} to {high:.3f} | {figure['cases']} | {figure['controls']} |"


def _contrast_row(row: Mapping[str, Any]) -> str:
    area = f"{row['auc']:.3f} ({row['ci'][0]:.2f}-{row['ci'][1]:.2f})" if "auc" in row else "too few patients"
    shares = f"{_percent(row['marked'])} | {_percent(row['marked_without'])}"
    return f"| {row['contrast_to_noise']:g} | {row['places']} | {area} | {shares} |"


def _short(figure: Mapping[str, Any] | None) -> str:
    return (
        "too few patients" if figure is None else f"{figure['auc']:.3f} ({figure['ci'][0]:.2f}-{figure['ci'][1]:.2f})"
    )


def _percent(value: float | None) -> str:
    return "cannot be said" if value is None else f"{value:.0%}"


def _number(value: float | None) -> str:
    return "cannot be said" if value is None else f"{value:.3f}"


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    low, high = row[f"{name}_ci"]
    return f"{row[name]:.0%} ({low:.0%}-{high:.0%})"


def _plots(path: Path, module: Module, records: Sequence[Record], own: Mapping[str, Any]) -> None:
    figure, axes = plt.subplots(1, 4, figsize=(20, 5), layout="constrained")
    control = frozenset({Label.CONTROL})
    windows = {
        "against healthy tissue": window_scores(records, control),
        "benign too": window_scores(records, control | {Label.BENIGN}),
    }
    images = {"against healthy": healthy_scores(records), "against benign": benign_scores(records)}
    for axis, title, curves in ((axes[0], "Windows", windows), (axes[1], "Images", images)):
        for name, scores in curves.items():
            if scores.cases and scores.controls:
                axis.plot(*roc_points(scores), label=name)
        axis.plot([0, 1], [0, 1], color="0.8")
        _labelled(axis, f"{module.value.capitalize()}: {title.lower()}", "1 - specificity", "sensitivity")
    points = own["froc"]
    axes[2].plot([p["false_marks_per_image"] for p in points], [p["lesions"] for p in points])
    axes[2].set_ylim(0, 1)
    _labelled(axes[2], "Lesions marked", "false marks per image", "share of lesions")
    bins = own["reliability"] or []
    axes[3].plot([b["predicted"] for b in bins], [b["observed"] for b in bins], marker="o")
    axes[3].plot([0, 1], [0, 1], color="0.8")
    _labelled(axes[3], "Are probabilities true?", "probability said", "share malignant")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _labelled(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="lower right")


def _as_html(markdown: str) -> str:
    """A page that needs nothing beside it but the plots."""
    style = (
        "body{font:16px sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
        "td,th{padding:.3em .8em;text-align:left;border-bottom:1px solid #ddd}img{max-width:100%}"
    )
    head = f"<meta charset=utf-8><title>Evaluation</title><style>{style}</style>"
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"
