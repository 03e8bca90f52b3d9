"""Findings and source headers in, finished and checked result objects out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pydicom import Dataset

from inference.results import ImageResult, Reason, StudyResult
from scp.objects.cad_sr import cad_sr
from scp.objects.identity import content_digest
from scp.objects.inputs import HeatMaps, Inputs, InvalidObjectError, ObjectOptions, Pictures, ResultObject, Revision
from scp.objects.key_objects import key_objects
from scp.objects.presentation_state import presentation_state
from scp.objects.report_pdf import report_pdf
from scp.objects.secondary_capture import secondary_capture
from scp.objects.segmentation import heat_map_segmentation, lesion_segmentation
from scp.objects.structure_gate import check
from scp.objects.tid1500 import tid1500

__all__ = ["InvalidObjectError", "ObjectOptions", "ResultObject", "Revision", "build"]

Builder = Callable[[Inputs], Iterator[tuple[str, Dataset]]]


def build(
    result: StudyResult,
    sources: Mapping[str, Dataset],
    options: ObjectOptions,
    revision: Revision,
    pictures: Pictures | None = None,
    heat_maps: HeatMaps | None = None,
) -> tuple[ResultObject, ...]:
    """Write the objects of `options.kinds`, in the order they are sent.

    The same arguments give byte-identical objects. Raises InvalidObjectError: an object would not be valid, or
    the header of an image it needs is missing; nothing is returned then.
    """
    inputs = Inputs(result, sources, options, revision, pictures, heat_maps)
    inputs = replace(inputs, digest=content_digest(inputs))
    objects = []
    for kind, builder in BUILDERS.items():
        if kind not in options.kinds:
            continue
        try:
            made = list(builder(inputs))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _not_built(kind, error) from error
        for suffix, ds in made:
            check(kind, ds, inputs)
            objects.append(ResultObject(kind, ds, f"{kind}{suffix}.dcm"))
    return tuple(objects)


def _not_built(kind: str, error: Exception) -> InvalidObjectError:
    """What a header that nobody foresaw leads to: the study fails with a reason, and the node goes on."""
    return InvalidObjectError(
        Reason(
            code="object-not-built",
            text=f"The {kind} object could not be made from the images' headers ({type(error).__name__}).",
            remedy="The findings are kept. Report this to the maintainers, then analyse the study again.",
        )
    )


def _cad_sr(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    yield "", cad_sr(inputs)


def _tid1500(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    yield "", tid1500(inputs)


def _segmentations(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    for image in _with_findings(inputs):
        yield _suffix(inputs, image), lesion_segmentation(inputs, image)


def _heat_maps(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    """One for each analysed image that has a map of any module with a score."""
    if inputs.heat_maps is None:
        return
    for image in inputs.result.analysed:
        scored = [outcome.module for outcome in image.modules if outcome.score is not None]
        maps = {module: inputs.heat_maps(image.sop_instance_uid, module) for module in scored}
        known = {module: heat_map for module, heat_map in maps.items() if heat_map is not None}
        if known:
            yield _suffix(inputs, image), heat_map_segmentation(inputs, image, known)


def _presentation_states(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    for image in _with_findings(inputs):
        yield _suffix(inputs, image), presentation_state(inputs, image)


def _secondary_capture(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    """None where no image was analysed: there is nothing to show."""
    if inputs.result.analysed:
        yield "", secondary_capture(inputs)


def _report_pdf(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    yield "", report_pdf(inputs)


def _key_objects(inputs: Inputs) -> Iterator[tuple[str, Dataset]]:
    images = _with_findings(inputs)
    if images:
        yield "", key_objects(inputs, tuple(images))


def _with_findings(inputs: Inputs) -> list[ImageResult]:
    return [image for image in inputs.result.analysed if image.findings]


def _suffix(inputs: Inputs, image: ImageResult) -> str:
    """E.g. '-2-RMLO': the image's place in the study and what it shows."""
    place = inputs.result.images.index(image) + 1
    return f"-{place}-{image.laterality or ''}{image.view or ''}".rstrip("-")


BUILDERS: dict[str, Builder] = {
    "cad-sr": _cad_sr,
    "tid1500": _tid1500,
    "seg": _segmentations,
    "heatmap": _heat_maps,
    "gsps": _presentation_states,
    "secondary-capture": _secondary_capture,
    "pdf": _report_pdf,
    "kos": _key_objects,
}
