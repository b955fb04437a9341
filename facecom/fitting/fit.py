"""Second-order fit of pose and code to a scan, coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

import numpy as np

from facecom.errors import FitError
from facecom.fitting.newton import FitProblem, newton_steps
from facecom.fitting.normal_equations import MOTION_SIZE, motion_is_determined, solve_step
from facecom.fitting.types import FitSettings, FitStage, FitTerm, ShapeModel, default_fit_stages
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.transform import Similarity, rotation_from_vector

__all__ = [
    "Fit", "FitOptions", "FitSettings", "FitState", "FitTerm", "ShapeModel", "FitStage", "default_fit_stages", "fit",
    "fit_from_several", "iterate_fit", "near_poses", "gaussian_update",
]  # fmt: skip

CONVERGED_STEP_MM = 0.05
"""Root mean square movement of the face along the scan's normals in the last step, mm, below which a fit has converged:
less than scanners tell apart."""


@dataclass(frozen=True, eq=False)
class FitState:
    """The fit after one iteration.

    code : (M,); pose : scan frame (mm) -> face frame; vertices : (V, 3) of the stage's level, face frame, mm;
    precision, matched : as in `Fit`;
    terms : value of each term by name (`plane_rms_mm`, `prior`, `landmark_rms_mm`, `step_mm`), and `cost`, that of the
    robust residuals, the code and extra terms before the iteration: of two fits to one scan the lower explains more.
    """

    code: Floats
    pose: Similarity
    vertices: Floats
    precision: Floats
    matched: Floats
    level: int
    iteration: int
    terms: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Fit:
    """The finished fit.

    precision : (M + 6, M + 6) second derivative of the cost in code and rigid motion of the face (rotation vector about
    the origin of the face frame, translation): the inverse is the posterior covariance.
    matched : (V,) inlier weight in 0..1 of the correspondence of each vertex of the last level, 0 without one.
    """

    code: Floats
    pose: Similarity
    vertices: Floats
    level: int
    precision: Floats
    matched: Floats
    terms: Mapping[str, float]
    converged: bool


class FitOptions(TypedDict, total=False):
    """Keyword arguments of `fit` and `iterate_fit`."""

    settings: FitSettings
    weights: Floats
    """(V,) in 0..1 for the vertices of the finest level used: how far each is trusted to be face."""
    landmarks: Mapping[str, Floats]
    """name -> (3,) point in the scan's frame, mm."""
    landmark_sigma_mm: Mapping[str, float]
    """name -> standard deviation, for those that differ from the settings."""
    landmark_vertices: Mapping[str, int]
    """name -> vertex of the template, for all names that may occur."""
    mirror: Ints
    """(V,) vertex on the other side; without it the two sides are not compared."""


def iterate_fit(
    scan: OrientedSurface, model: ShapeModel, start: Similarity, **options: Unpack[FitOptions]
) -> Iterator[FitState]:
    """Yield the state after each Gauss-Newton iteration; the caller may stop, plot or print.

    Parameters
    ----------
    start : pose scan frame (mm) -> face frame to begin with
    **options : see `FitOptions`

    Raises
    ------
    FitError
        When too few vertices find a correspondence on the scan; the message gives the figures.
    """
    chosen: FitOptions = {"settings": FitSettings(), **options}
    for step, stage, number in newton_steps(FitProblem(scan, model, **chosen), start):
        yield FitState(
            step.code, step.pose, step.vertices, step.precision, step.matched, stage.level, number, step.terms
        )


def fit(scan: OrientedSurface, model: ShapeModel, start: Similarity, **options: Unpack[FitOptions]) -> Fit:
    """Drain `iterate_fit` (same parameters and errors) and return the last state as a `Fit`.

    Raises
    ------
    FitError
        When the scan looks the same after some motion, as a ball does, so that the pose is not determined.
    ValueError
        When the settings have no stages.
    """
    last = None
    for state in iterate_fit(scan, model, start, **options):
        last = state
    if last is None:
        raise ValueError("the fit has no stages; give at least one")
    if not motion_is_determined(last.precision):
        raise FitError(
            "the scan looks the same rotated or moved, as a ball, a plane or a tube does, so that nothing tells where "
            "a face lies in it; is it a face?"
        )
    return Fit(
        code=last.code,
        pose=last.pose,
        vertices=model.decode(last.code, level=last.level),
        level=last.level,
        precision=last.precision,
        matched=last.matched,
        terms=last.terms,
        converged=last.terms["step_mm"] < CONVERGED_STEP_MM,
    )


def fit_from_several(
    scan: OrientedSurface, model: ShapeModel, starts: Sequence[Similarity], **options: Unpack[FitOptions]
) -> Fit:
    """The fit of lowest cost, of one from each start; of equals the first.

    The cost has more than one minimum where something stands a few millimetres off the face that one shape explains and
    another takes for hair: which of them a fit ends in then depends on a degree or two at the start.

    Raises
    ------
    FitError
        When none of them succeeds; that of the first start.
    ValueError
        Without a start or without stages.
    """
    if not starts:
        raise ValueError("there is no pose to start from; give at least one")
    fits: list[Fit] = []
    errors: list[FitError] = []
    for start in starts:
        try:
            fits.append(fit(scan, model, start, **options))
        except FitError as error:
            errors.append(error)
    if not fits:
        raise errors[0]
    return min(fits, key=lambda fitted: fitted.terms["cost"])


def near_poses(pose: Similarity, count: int, *, turn_rad: float, shift_mm: float, seed: int) -> list[Similarity]:
    """The pose (scan frame -> face frame) and `count` more, moved at random by these standard deviations an axis."""
    rng = np.random.default_rng(seed)
    motions = [(rng.normal(0.0, turn_rad, 3), rng.normal(0.0, shift_mm, 3)) for _ in range(count)]
    return [pose, *(Similarity(rotation_from_vector(turn), shift) @ pose for turn, shift in motions)]


def gaussian_update(fitted: Fit, rows: Floats, residuals: Floats, weights: Floats) -> Fit:
    """The fit updated by further linear observations: one Gauss-Newton step from its optimum.

    Parameters
    ----------
    rows : (n, M + 6), derivative by code and motion; residuals : (n,), mm; weights : (n,), 1 / variance
    """
    precision = fitted.precision + (rows * weights[:, None]).T @ rows
    delta = solve_step(precision, rows.T @ (weights * residuals))
    code_step, rotation_step = delta[:-MOTION_SIZE], delta[-MOTION_SIZE:-3]
    motion = Similarity(rotation_from_vector(rotation_step), delta[-3:])
    return replace(fitted, code=fitted.code + code_step, pose=motion.inverse() @ fitted.pose, precision=precision)
