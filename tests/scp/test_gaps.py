"""What is not judged is named, with its view and reason; what is judged by another image is no gap."""

from inference.results import Module, ModuleResult, ModuleStatus, Reason
from phantoms.mammogram import mammogram
from phantoms.told_study import FOREIGN, IMPLANT, image, incomplete_study, study
from scp.gaps import beside_analysed, gaps, summary
from scp.image_names import image_name, image_names

FOUR = (image(1, "R", "CC"), image(2, "L", "CC"), image(3, "R", "MLO"), image(4, "L", "MLO"))


def found(result):
    return gaps(result, image_names(result, {}))


def test_of_a_complete_study_there_are_none() -> None:
    assert found(study(*FOUR)) == ()
    assert summary(()) == ""


def test_the_gravest_first_with_view_and_reason() -> None:
    told = [(gap.name, gap.lack.value, gap.reason.text) for gap in found(incomplete_study())]
    unclear = "No image says that it is this one; one came that does not say its breast or view."
    assert told == [
        ("L CC", "failed", "The pixel data end before the image does."),
        ("R MLO", "not received", "No such image came."),
        ("L MLO", "not received", unclear),
    ]
    assert summary(found(incomplete_study())) == "1 failed: L CC; 2 not received: R MLO, L MLO"


def test_a_failed_module_is_a_gap() -> None:
    reason = Reason(code="out-of-memory", text="The module ran out of memory.")
    module = ModuleResult(module=Module.NODULE, status=ModuleStatus.FAILED, reason=reason)
    half = FOUR[0].model_copy(update={"modules": (module, FOUR[0].modules[1])})
    (gap,) = found(study(half, *FOUR[1:]))
    assert (gap.name, gap.lack.value, gap.reason.text) == (
        "R CC",
        "failed in part",
        "Nodule: The module ran out of memory.",
    )


def test_an_excluded_image_beside_an_analysed_one_leaves_no_gap() -> None:
    beside, alone = image(5, "R", "CC", IMPLANT), image(6, "R", "ML", IMPLANT)
    result = study(*FOUR, beside, alone, image(7, None, None, FOREIGN))
    assert [(gap.name, gap.lack.value) for gap in found(result)] == [("R ML", "excluded")]
    assert beside_analysed(result) == (beside,)


def test_names(tmp_path) -> None:
    odd = tmp_path / "odd.dcm"
    mammogram("L", "MLO", ViewPosition="XYZ").save_as(odd, enforce_file_format=True)
    assert image_name(image(1, "R", "CC")) == "R CC"
    assert image_name(image(1, "L", None), odd) == "L, view XYZ"
    assert image_name(image(1, "L", None), tmp_path / "gone.dcm") == "L, view unknown"
    assert image_name(image(1, None, "CC")) == "side unknown, CC"
    assert image_name(image(1, None, None, FOREIGN)) == "CT Image"
    private = image(1, None, None, FOREIGN).model_copy(update={"sop_class_uid": "1.2.3.4.5"})
    assert image_name(private) == "unknown kind of image"
    twice = image_names(study(image(1, "R", "CC"), image(2, "R", "CC")), {})
    assert list(twice.values()) == ["R CC", "R CC (2)"]
