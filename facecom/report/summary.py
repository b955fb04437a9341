"""Why could it bring back fine features and keep the face's structure? In sentences, with one scan's own figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facecom.report.ablation import Ablation, Outcome
from facecom.report.ablation_variants import FULL, PICTURES
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.html_elements import tag
from facecom.report.relief import relief_by_region

QUESTION = "Why could it bring back such fine features and keep the face's structure?"
NO_DIFFERENCE = 0.02
"""Share of an error by which two runs must differ before one is called better."""


def answer(ablation: Ablation) -> tuple[str, ...]:
    """The answer for the scan of an ablation, a sentence or two for each reason; what does not help here is said."""
    by_name = {o.leaving.name: o for o in ablation.outcomes}
    guided = by_name.get(PICTURES.name)
    return (
        _structure(ablation, by_name[FULL], by_name["shape modes"]),
        _sides(ablation, by_name[FULL], by_name["symmetry"]),
        *(() if guided is None else (_pictures(ablation, by_name[FULL], guided),)),
        _closeness(by_name[FULL], by_name["projection"], by_name["carrying on into the hole"]),
        _relief(ablation),
    )


def _structure(ablation: Ablation, whole: Outcome, without: Outcome) -> str:
    own = ablation.layers.result
    return (
        f"The structure is kept because the missing part is a piece of one whole face, whose code of "
        f"{own.model.code_size} numbers was found from the {percent(own.report.coverage)} of the face that "
        f"the scan shows: {_lost(ablation, whole, without, 'without its shape modes')}"
    )


def _sides(ablation: Ablation, whole: Outcome, without: Outcome) -> str:
    layers = ablation.layers
    seen = percent(layers.share(layers.mirrored, of=layers.made)) if layers.made.any() else "none"
    return (
        f"Traits of the missing part are found on the other side of the face, which the scan shows for {seen} of what "
        f"was made up: {_lost(ablation, whole, without, 'when the sides know nothing of each other')}"
    )


def _pictures(ablation: Ablation, whole: Outcome, without: Outcome) -> str:
    told = percent(ablation.layers.share(ablation.layers.guided, of=ablation.layers.made))
    return (
        f"Pictures of the scan, painted in by a network, had a say in {told} of what was made up of the face proper: "
        f"{_lost(ablation, whole, without, 'when the fit does not see them')}"
    )


def _lost(ablation: Ablation, whole: Outcome, without: Outcome, when: str) -> str:
    """How far the made part moves, and whether a hidden place is missed by more."""
    if without.problem or not np.isfinite(without.vertices).all():
        return f"{when} the job fails ({without.problem})."
    moved = f"{when} the made part lies {mm(without.change_mm.get('all', np.nan))} elsewhere"
    if not (np.isfinite(whole.hidden_mm) and np.isfinite(without.hidden_mm)):
        return f"{moved}; no seen place was wide enough to say which is better."
    place = f"a seen place of {ablation.hidden_radius_mm:g} mm radius that was hidden from the job is missed by"
    figures = f"{place} {mm(without.hidden_mm)} instead of {mm(whole.hidden_mm)}"
    if without.hidden_mm > (1 + NO_DIFFERENCE) * whole.hidden_mm:
        return f"{moved}, and {figures}."
    return f"{moved}. At the one place that can be checked on this scan it does not help: {figures}."


def _closeness(whole: Outcome, projection: Outcome, carrying: Outcome) -> str:
    near, far = (mm(o.to_scan_mm.get("all", np.nan)) for o in (whole, projection))
    return (
        f"What was seen is kept and not modelled: the face lies {near} from the scan, {far} without the last step onto "
        f"it, and the merged mesh holds the scan's own triangles. The step left at the rim is {mm(whole.rim_gap_mm)}; "
        f"were the offset to end there, it would be {mm(carrying.rim_gap_mm)}."
    )


def _relief(ablation: Ablation) -> str:
    parts = dict(relief_by_region(ablation.layers))
    if not parts:
        return (
            "Pores and lines finer than the model were not made in this run: the made part is as smooth as the model "
            "is, and nothing that fine was claimed."
        )
    over_all = parts.pop("all")
    regions = "; ".join(f"{REGION_TITLES.get(n, n)} {r.text}" for n, r in parts.items())
    return (
        f"Pores and lines on the made part are laid from the skin that was seen: {mm(over_all.made_mm)} of relief, "
        f"{over_all.text} against the {mm(over_all.measured_mm)} measured beside it ({regions}); without that stage "
        "there are none. They are like the lost ones, they are not the lost ones."
    )


def answer_html(ablation: Ablation) -> Iterator[str]:
    """The question and the answer as pieces of a page."""
    yield tag("h2", QUESTION)
    for sentence in answer(ablation):
        yield tag("p", sentence)
