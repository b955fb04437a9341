"""What each stage is worth on one scan: the same job with each left out in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from facecom.completion import (
    Completion,
    FitContext,
    Scan,
)
from facecom.errors import FitError
from facecom.geometry.closest_points import Surface
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.report.ablation_variants import AblationVariant, Runs, ablation_variants
from facecom.report.display_data import DisplayData


@dataclass(frozen=True, eq=False)
class Outcome:
    """The job without one stage; lengths in mm.

    Parameters
    ----------
    leaving : Leaving
    vertices : (V, 3) float, face frame; NaN throughout where the fit failed
    change_mm : region -> mean distance to the whole job's result over the made part of that region
    to_scan_mm : region -> mean distance of the face to the scan, where the scan shows it
    hidden_mm : mean distance to the scan at a seen place that was hidden from the job; NaN where there was none
    rim_gap_mm : mean step between the scan and the made part across the rim, which the join would have to bend away
    seconds : float
    problem : why it failed, or nothing
    """

    leaving: AblationVariant
    vertices: Floats
    change_mm: Mapping[str, float]
    to_scan_mm: Mapping[str, float]
    hidden_mm: float
    rim_gap_mm: float
    seconds: float
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Ablation:
    """All outcomes, the whole job first.

    hidden : (V,) bool, the vertices of the place that was hidden, none where too little was seen
    hidden_radius_mm : float
    """

    layers: DisplayData
    outcomes: tuple[Outcome, ...]
    hidden: Bools
    hidden_radius_mm: float


def ablate(
    result: Completion, *, radius_mm: float | None = 18.0, progress: Callable[[str, float], None] | None = None
) -> Ablation:
    """Repeat the fit and the projection of a completion with each stage left out.

    Every run starts from the pose that was found, the one with nothing left out too. Differences say how much a stage
    changes; whether for the better is told at a place of the scan that is hidden from a second set of runs: the seen
    place nearest to the missing part that is wide enough. Inpainted pictures take part where they did in the
    completion; named landmarks take no part in any run.

    Parameters
    ----------
    result : Completion with a linear model
    radius_mm : float, of the hidden place; None hides none, and takes half the time
    progress : called with the name of what is left out, and the share of the work done

    Raises
    ------
    ValueError
        When the radius is not positive, or the model not linear.
    FitError
        When the fit fails with nothing left out.
    """
    if radius_mm is not None and not radius_mm > 0:
        raise ValueError(f"the hidden place needs a positive radius, got {radius_mm:g} mm")
    layers = DisplayData(result)
    covered, hidden = _covered(layers, radius_mm)
    runs, outcomes = Runs(layers), list[Outcome]()
    every = ablation_variants(result)
    for k, leaving in enumerate(every):
        if progress:
            progress(leaving.name, k / len(every))
        reference = outcomes[0].vertices if outcomes else None
        outcomes.append(_outcome(runs, leaving, covered, hidden, reference))
    return Ablation(layers, tuple(outcomes), hidden, radius_mm if radius_mm and covered is not None else 0.0)


def _covered(layers: DisplayData, radius_mm: float | None) -> tuple[Scan | None, Bools]:
    """The scan without a seen place, where one is wide enough, and the vertices (V,) of that place."""
    centre = None if radius_mm is None else hidden_place(layers, radius_mm=radius_mm)
    if radius_mm is None or centre is None:
        return None, np.zeros(len(layers.area), bool)
    away = np.linalg.norm(layers.face.vertices - centre, axis=1)
    return _cut(layers.result.context, centre, radius_mm), (away < radius_mm - 2.0) & layers.measured


def hidden_place(layers: DisplayData, *, radius_mm: float) -> Floats | None:
    """Middle (3,) of the seen disc nearest to the missing part of the face proper; None where none is wide enough."""
    seen, points = layers.measured & layers.proper, layers.face.vertices
    candidates = np.flatnonzero(seen[: layers.result.template.counts[1]])
    weight = layers.area * layers.made
    aim = weight @ points / weight.sum() if weight.any() else np.zeros(3)
    for k in candidates[np.argsort(np.linalg.norm(points[candidates] - aim, axis=1), kind="stable")]:
        disc = np.linalg.norm(points - points[k], axis=1) < radius_mm
        if layers.share(seen, of=disc) > 0.97:
            return points[k]
    return None


def _cut(evidence: FitContext, centre: Floats, radius_mm: float) -> Scan:
    """The scan without what lies around a point of the face frame."""
    scan, pose = evidence.scan, evidence.fit.pose

    def rest(surface: OrientedSurface) -> OrientedSurface:
        mesh = surface.mesh
        keep = np.linalg.norm(pose.apply(mesh.vertices) - centre, axis=1) > radius_mm
        return OrientedSurface(mesh.submesh(keep[mesh.faces].all(axis=1))[0])

    fine = rest(scan.mm)
    return replace(scan, mm=fine, for_fit=fine if scan.for_fit is scan.mm else rest(scan.for_fit))


def _outcome(
    runs: Runs, leaving: AblationVariant, covered: Scan | None, hidden: Bools, reference: Floats | None
) -> Outcome:
    layers, own, begun = runs.layers, runs.layers.result.context, time.perf_counter()
    problem, blind = "", None
    try:
        vertices, rim_gap = runs.run(own.scan, leaving.name)
    except FitError as error:
        if reference is None:
            raise
        nothing = np.full_like(layers.face.vertices, np.nan)
        return Outcome(leaving, nothing, {}, {}, np.nan, np.nan, time.perf_counter() - begun, str(error))
    try:
        blind = None if covered is None else runs.run(covered, leaving.name)[0]
    except FitError as error:
        problem = f"with the place hidden: {error}"
    surface = Surface(layers.scan)
    gap = surface.closest(vertices).distance
    change = np.zeros(len(vertices)) if reference is None else _between(vertices, reference, layers)
    missed = np.nan if blind is None else layers.mean_of(surface.closest(blind).distance, hidden)
    return Outcome(
        leaving=leaving,
        vertices=vertices,
        change_mm=_by_region(layers, change, layers.made),
        to_scan_mm=_by_region(layers, gap, layers.measured & layers.proper),
        hidden_mm=missed,
        rim_gap_mm=rim_gap,
        seconds=time.perf_counter() - begun,
        problem=problem,
    )


def _between(vertices: Floats, reference: Floats, layers: DisplayData) -> Floats:
    return Surface(Mesh(reference, layers.mean.faces)).closest(vertices).distance


def _by_region(layers: DisplayData, values: Floats, where: Bools) -> dict[str, float]:
    """Mean by area over a part of the face and over each region's share of it, regions without any left out."""
    template = layers.result.template
    masks: Iterator[tuple[str, Bools]] = ((name, template.region_mask(name)) for name in template.region_names)
    return {
        name: layers.mean_of(values, where & mask)
        for name, mask in (("all", np.ones(len(values), bool)), *masks)
        if (where & mask).any()
    }
