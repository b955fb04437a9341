"""Ablation of a completion: the fit and the projection of one scan with each stage left out in turn."""

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
from facecom.model.template import FIT_LEVEL
from facecom.report.ablation_variants import AblationRunner, AblationVariant, ablation_variants
from facecom.report.display_data import DisplayData

HELD_OUT_RADIUS_MM = 18.0
"""Radius of the held-out region: about that of a missing nose."""
HELD_OUT_RIM_MM = 2.0
"""Strip along the border of the held-out region that is not scored: triangles there reach across it."""
MIN_OBSERVED_SHARE = 0.97
"""Share of a disc's area that must be observed before it can be held out."""


@dataclass(frozen=True, eq=False)
class VariantResult:
    """The result without one stage; lengths in mm.

    Parameters
    ----------
    variant : AblationVariant
    vertices : (V, 3) float, face frame; all NaN where the fit failed
    change_mm : region -> mean distance to the full pipeline's result over the made-up part of that region
    to_scan_mm : region -> mean distance of the face to the scan over the observed part of that region
    held_out_mm : mean distance to the scan over the held-out region; NaN where there is none
    rim_step_mm : mean step of the surface across the rim, before stitching
    seconds : float
    problem : why it failed, else empty
    """

    variant: AblationVariant
    vertices: Floats
    change_mm: Mapping[str, float]
    to_scan_mm: Mapping[str, float]
    held_out_mm: float
    rim_step_mm: float
    seconds: float
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Ablation:
    """All results, the full pipeline first.

    held_out : (V,) bool, the vertices of the held-out region, none where too little was observed
    held_out_radius_mm : float, 0 where there is no such region
    """

    data: DisplayData
    results: tuple[VariantResult, ...]
    held_out: Bools
    held_out_radius_mm: float


def ablate(
    result: Completion,
    *,
    radius_mm: float | None = HELD_OUT_RADIUS_MM,
    progress: Callable[[str, float], None] | None = None,
) -> Ablation:
    """Repeat the fit and the projection of a completion with each stage left out.

    Every run, also the one with nothing left out, starts from the completion's pose. Differences say how much a stage
    changes. Whether it improves the result is measured in a second set of runs, at a region of the scan that is held
    out from them: the observed disc closest to the missing part. Guidance takes part where it did in the completion;
    named landmarks take no part in any run.

    Parameters
    ----------
    result : Completion with a linear model
    radius_mm : float, of the held-out region; None holds none out, and takes half the time
    progress : called with the name of what is left out, and the share of the work done

    Returns
    -------
    Ablation

    Raises
    ------
    ValueError
        When the radius is not positive, or the model not linear.
    FitError
        When the fit fails with nothing left out.
    """
    if radius_mm is not None and not radius_mm > 0:
        raise ValueError(f"the held-out region needs a positive radius, got {radius_mm:g} mm")
    data = DisplayData(result)
    partial_scan, held_out = _hold_out(data, radius_mm)
    runner, results = AblationRunner(data), list[VariantResult]()
    variants = ablation_variants(result)
    for k, variant in enumerate(variants):
        if progress:
            progress(variant.name, k / len(variants))
        reference = results[0].vertices if results else None
        results.append(_variant_result(runner, variant, partial_scan, held_out, reference))
    return Ablation(data, tuple(results), held_out, radius_mm if radius_mm and partial_scan is not None else 0.0)


def _hold_out(data: DisplayData, radius_mm: float | None) -> tuple[Scan | None, Bools]:
    """The scan without an observed disc, None where none is wide enough, and the face's vertices (V,) of the disc."""
    center = None if radius_mm is None else held_out_center(data, radius_mm=radius_mm)
    if radius_mm is None or center is None:
        return None, np.zeros(len(data.vertex_area), bool)
    distance = np.linalg.norm(data.face.vertices - center, axis=1)
    held_out = (distance < radius_mm - HELD_OUT_RIM_MM) & data.observed
    return _without_ball(data.result.context, center, radius_mm), held_out


def held_out_center(data: DisplayData, *, radius_mm: float) -> Floats | None:
    """Centre (3,) of the observed disc closest to the missing part of the face proper; None where there is none."""
    observed, points = data.observed & data.face_mask, data.face.vertices
    candidates = np.flatnonzero(observed[: data.result.template.counts[FIT_LEVEL]])
    weight = data.vertex_area * data.made_up
    target = weight @ points / weight.sum() if weight.any() else np.zeros(3)
    for k in candidates[np.argsort(np.linalg.norm(points[candidates] - target, axis=1), kind="stable")]:
        disc = np.linalg.norm(points - points[k], axis=1) < radius_mm
        if data.area_share(observed, of=disc) > MIN_OBSERVED_SHARE:
            return points[k]
    return None


def _without_ball(context: FitContext, center: Floats, radius_mm: float) -> Scan:
    """The scan without the triangles in a ball around a point of the face frame."""
    scan, pose = context.scan, context.fit.pose

    def outside(surface: OrientedSurface) -> OrientedSurface:
        mesh = surface.mesh
        keep = np.linalg.norm(pose.apply(mesh.vertices) - center, axis=1) > radius_mm
        return OrientedSurface(mesh.submesh(keep[mesh.faces].all(axis=1))[0])

    fine = outside(scan.mm)
    return replace(scan, mm=fine, for_fit=fine if scan.for_fit is scan.mm else outside(scan.for_fit))


def _variant_result(
    runner: AblationRunner,
    variant: AblationVariant,
    partial_scan: Scan | None,
    held_out: Bools,
    reference: Floats | None,
) -> VariantResult:
    data, context, start = runner.data, runner.data.result.context, time.perf_counter()
    problem, predicted = "", None
    try:
        vertices, rim_step = runner.run(context.scan, variant.name)
    except FitError as error:
        if reference is None:
            raise
        failed = np.full_like(data.face.vertices, np.nan)
        return VariantResult(variant, failed, {}, {}, np.nan, np.nan, time.perf_counter() - start, str(error))
    try:
        predicted = None if partial_scan is None else runner.run(partial_scan, variant.name)[0]
    except FitError as error:
        problem = f"with the region held out: {error}"
    surface = Surface(data.scan)
    residual = surface.closest(vertices).distance
    change = np.zeros(len(vertices)) if reference is None else _distance(vertices, reference, data)
    error_mm = np.nan if predicted is None else data.area_mean(surface.closest(predicted).distance, held_out)
    return VariantResult(
        variant=variant,
        vertices=vertices,
        change_mm=_by_region(data, change, data.made_up),
        to_scan_mm=_by_region(data, residual, data.observed & data.face_mask),
        held_out_mm=error_mm,
        rim_step_mm=rim_step,
        seconds=time.perf_counter() - start,
        problem=problem,
    )


def _distance(vertices: Floats, reference: Floats, data: DisplayData) -> Floats:
    """Distance (V,) of vertices to the surface of another face."""
    return Surface(Mesh(reference, data.mean_face.faces)).closest(vertices).distance


def _by_region(data: DisplayData, values: Floats, where: Bools) -> dict[str, float]:
    """Area-weighted mean over a part of the face and over each region's share of it, without empty regions."""
    template = data.result.template
    masks: Iterator[tuple[str, Bools]] = ((name, template.region_mask(name)) for name in template.region_names)
    return {
        name: data.area_mean(values, where & mask)
        for name, mask in (("all", np.ones(len(values), bool)), *masks)
        if (where & mask).any()
    }
