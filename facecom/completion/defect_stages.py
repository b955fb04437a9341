"""The stages that say what of a scan is skin, doubted skin or defect: marked, or contradicted by the rest of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facecom.completion import stages
from facecom.completion.alignment import split_scan
from facecom.completion.defect_probability import DoubtfulPlace, defect_probability
from facecom.completion.defects import find_defect
from facecom.completion.marking import marked_triangles, read_scan_marks
from facecom.completion.state import CompletionState, known
from facecom.completion.swelling import distance_to_unbelieved, swollen_strip
from facecom.errors import FitError
from facecom.model.template import FINEST_LEVEL

MOST_TOLD = 3
"""Doubtful places that a warning names."""


def read_marks(state: CompletionState) -> CompletionState:
    """What the caller marked as missing or doubted.

    Raises
    ------
    ScanError, ValueError
        When marks cannot be read or are none.
    """
    raw, template = known(state.raw, "read"), state.template
    marks = read_scan_marks(
        state.missing, state.doubted, raw, source=state.source, template=template, snap=state.snap_marks
    )
    return replace(state, marks=marks, missing=None, doubted=None)


def apply_marks(state: CompletionState) -> CompletionState:
    """The scan split into skin, doubted skin and defect where it was painted, so that the search sees skin alone.

    Raises
    ------
    ValueError
        When the marks do not belong to the scan.
    """
    scan, marks = known(state.scan, "clean"), state.marks
    template = state.template
    missing, doubted = (
        marked_triangles(scan, part, snap=marks.snap, template=template) for part in (marks.missing, marks.doubted)
    )
    return replace(state, scan=split_scan(scan, defect=missing, doubted=doubted & ~missing, settings=state.settings))


def apply_outlines(state: CompletionState) -> CompletionState:
    """The same where marks are outlines or regions, which need a pose."""
    marks, scan, model = state.marks, known(state.scan, "clean"), known(state.model, "load model")
    if not (marks.missing.need_pose or marks.doubted.need_pose):
        return state
    start = known(state.hypothesis, "align")
    face = model.decode(start.code, level=FINEST_LEVEL)
    missing, doubted = (
        marked_triangles(scan, part, snap=marks.snap, template=model.template, pose=start.pose, face=face)
        for part in (marks.missing, marks.doubted)
    )
    return replace(state, scan=split_scan(scan, defect=missing, doubted=doubted & ~missing, settings=state.settings))


def find_defects(state: CompletionState) -> CompletionState:
    """Where the scan shows a wound, a membrane or a dressing, the scan without it and the fit to that.

    Only where nothing was marked as missing.

    Raises
    ------
    FitError
        As of `fit`.
    """
    scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
    if not state.marks.find:
        return state
    found = find_defect(scan, model, fitted.code, pose=fitted.pose, settings=state.settings)
    if found is None:
        return state
    nothing = np.zeros(len(found.triangles), bool)
    rim = state.settings.found_rim_mm
    healthy = split_scan(scan, defect=found.triangles, doubted=nothing, settings=state.settings, rim_mm=rim)
    start = replace(known(state.hypothesis, "align"), pose=found.pose)
    warning = (
        f"{found.area_mm2:.0f} mm2 of the scan show no face where one must be, such as a wound, a membrane or a "
        "dressing, and were left out; look at defect.ply, and mark the place yourself (--missing) if it is wrong"
    )
    parted = replace(state, scan=healthy, hypothesis=start, found_mm2=found.area_mm2)
    return stages.fit(replace(parted, warnings=(*state.warnings, warning)))


def doubt_swelling(state: CompletionState) -> CompletionState:
    """Skin beside a defect, or beside what is doubted, that stands up is doubted too; and the fit without it.

    Raises
    ------
    FitError
        As of `fit`.
    """
    scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
    settings, whole = state.settings, np.zeros(len(scan.mesh.faces), bool)
    distance = distance_to_unbelieved(scan, settings)
    unseen = distance < settings.swelling.unseen_mm
    if not unseen.any():
        return state
    start = replace(known(state.hypothesis, "align"), pose=fitted.pose)
    try:
        trial = stages.fit(
            replace(
                state,
                scan=split_scan(scan, defect=whole, doubted=unseen, settings=settings),
                hypothesis=start,
                settings=replace(settings, more_starts=0),
            )
        )
    except FitError:  # so little is left without the strip that nothing says how high it should lie
        return state
    judged = known(trial.fit, "fit")
    swollen = swollen_strip(scan, model, judged.code, pose=judged.pose, distance=distance, settings=settings.swelling)
    if not swollen.any():
        return state
    parted = split_scan(scan, defect=whole, doubted=swollen, settings=settings)
    return stages.fit(replace(state, scan=parted, hypothesis=start))


def estimate_defect_probability(state: CompletionState) -> CompletionState:
    """How likely each triangle that is kept shows a defect, and a warning where that is not sure.

    Only where nothing was marked as missing.
    """
    scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
    if not state.marks.find:
        return state
    found = defect_probability(scan, model, fitted.code, pose=fitted.pose, settings=state.settings)
    warnings = (_doubt(found.places),) if found.places else ()
    return replace(state, defect_probability=found, warnings=state.warnings + warnings)


def _doubt(places: Sequence[DoubtfulPlace]) -> str:
    """The warning of doubtful places."""
    told = "; ".join(
        f"{place.place}, {place.area_mm2:.0f} mm2 about ({', '.join(f'{x:.4g}' for x in place.center)})"
        for place in places[:MOST_TOLD]
    )
    more = f" and {len(places) - MOST_TOLD} more" if len(places) > MOST_TOLD else ""
    return (
        f"it is not sure that the scan shows skin here, and not a membrane or the bed of a wound: {told}{more}; it was "
        "believed: look at the scan, at preview.png and at defect_probability in merged.ply, and mark the place "
        "(--missing) if it is no skin"
    )
