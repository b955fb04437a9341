"""The summary of an ablation: why fine features and the face's structure could be restored, with one scan's values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facecom.report.ablation import Ablation, VariantResult
from facecom.report.ablation_variants import EXTRAPOLATION, FULL, GUIDANCE, PROJECTION, SHAPE_MODES, SYMMETRY
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.html_elements import tag
from facecom.report.relief import relief_by_region

QUESTION = "Why does it restore fine features and keep the face's structure?"
MIN_RELATIVE_DIFFERENCE = 0.02
"""Share of an error by which two runs must differ before one is called better: less is within the noise of a run."""


def summarise(ablation: Ablation) -> tuple[str, ...]:
    """The reasons, a sentence or two each, with the values of the ablation's scan; it says what does not help here."""
    by_name = {result.variant.name: result for result in ablation.results}
    full, guidance = by_name[FULL], by_name.get(GUIDANCE.name)
    return (
        _structure(ablation, full, by_name[SHAPE_MODES]),
        _symmetry(ablation, full, by_name[SYMMETRY]),
        *(() if guidance is None else (_guidance(ablation, full, guidance),)),
        _residual(full, by_name[PROJECTION], by_name[EXTRAPOLATION]),
        _relief(ablation),
    )


def _structure(ablation: Ablation, full: VariantResult, without: VariantResult) -> str:
    result = ablation.data.result
    return (
        f"The structure is kept because the missing part is a part of one whole face, whose code of "
        f"{result.context.model.code_size} numbers was fitted to the {percent(result.report.coverage)} of the face "
        f"that the scan shows: {_effect(ablation, full, without, 'without the shape modes')}"
    )


def _symmetry(ablation: Ablation, full: VariantResult, without: VariantResult) -> str:
    data = ablation.data
    share = percent(data.area_share(data.mirror_observed, of=data.made_up)) if data.made_up.any() else "none"
    return (
        f"Traits of the missing part are found on the other side of the face, which was observed for {share} of the "
        f"made-up part: {_effect(ablation, full, without, 'without the symmetry of the model')}"
    )


def _guidance(ablation: Ablation, full: VariantResult, without: VariantResult) -> str:
    share = percent(ablation.data.area_share(ablation.data.guided, of=ablation.data.made_up))
    return (
        f"Inpainted images of the scan guided {share} of the made-up part of the face proper: "
        f"{_effect(ablation, full, without, 'without this guidance')}"
    )


def _effect(ablation: Ablation, full: VariantResult, without: VariantResult, condition: str) -> str:
    """How far the made-up part moves without a stage, and whether the error at the held-out region grows."""
    if without.problem or not np.isfinite(without.vertices).all():
        return f"{condition} the fit fails ({without.problem})."
    moved = f"{condition} the made-up part moves by {mm(without.change_mm.get('all', np.nan))}"
    if not (np.isfinite(full.held_out_mm) and np.isfinite(without.held_out_mm)):
        return f"{moved}; no observed region was wide enough to say which is better."
    region = f"the error at an observed region of {ablation.held_out_radius_mm:g} mm radius, held out from the fit, is"
    errors = f"{region} {mm(without.held_out_mm)} instead of {mm(full.held_out_mm)}"
    if without.held_out_mm > (1 + MIN_RELATIVE_DIFFERENCE) * full.held_out_mm:
        return f"{moved}, and {errors}."
    return f"{moved}. At the one region that can be checked on this scan the stage does not help: {errors}."


def _residual(full: VariantResult, projection: VariantResult, extrapolation: VariantResult) -> str:
    near, far = (mm(result.to_scan_mm.get("all", np.nan)) for result in (full, projection))
    return (
        f"What was observed is kept and not modelled: the face lies {near} from the scan, {far} without the projection "
        f"onto it, and the merged mesh holds the scan's own triangles. The step at the rim is {mm(full.rim_step_mm)}; "
        f"without extrapolation of the offset it would be {mm(extrapolation.rim_step_mm)}."
    )


def _relief(ablation: Ablation) -> str:
    parts = dict(relief_by_region(ablation.data))
    if not parts:
        return (
            "Pores and lines finer than the model were not synthesised in this run: the made-up part is as smooth as "
            "the model is."
        )
    overall = parts.pop("all")
    regions = "; ".join(f"{REGION_TITLES.get(name, name)} {relief.text}" for name, relief in parts.items())
    return (
        f"Pores and lines on the made-up part are synthesised from the observed skin: {mm(overall.synthesised_mm)} of "
        f"relief, {overall.text} against the {mm(overall.observed_mm)} observed around it ({regions}); without that "
        "stage there are none. They are like the lost ones, they are not the lost ones."
    )


def summary_html(ablation: Ablation) -> Iterator[str]:
    """The summary with its title as HTML elements."""
    yield tag("h2", QUESTION)
    for sentence in summarise(ablation):
        yield tag("p", sentence)
