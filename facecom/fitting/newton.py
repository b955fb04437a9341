"""One Gauss-Newton step of pose and code together, and the settings that say how it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import linalg

from facecom.errors import FitError
from facecom.fitting.normal_equations import solve_step
from facecom.fitting.terms import (
    by_name,
    geman_mcclure,
    geman_mcclure_cost,
    landmark_rows,
    midline_pairs,
    point_to_plane_rows,
    symmetry_residuals,
)
from facecom.geometry.correspondence import Correspondences, OrientedSurface
from facecom.geometry.mesh import Floats, Ints, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector


class ShapeModel(Protocol):
    """What the fit needs of a face model: vertices and their derivative for a code with prior N(0, I)."""

    @property
    def code_size(self) -> int:
        """Number M of code entries."""

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""

    def decode(self, code: Floats, *, level: int) -> Floats:
        """Vertices of a level, (V, 3), mm, face frame."""

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M), mm."""


@dataclass(frozen=True)
class FitStage:
    """One stretch of iterations at one resolution."""

    level: int
    """Level of the template whose vertices look for partners."""
    iterations: int
    modes: int | None
    """Leading code entries that move; all of them for None."""
    reach_mm: float
    """Partners farther away are not believed."""
    robust_mm: float
    """Gap at which a partner counts a quarter."""
    noise_mm: float
    """Standard deviation of what neither model nor scan explain, for each vertex."""


def default_fit_stages() -> tuple[FitStage, ...]:
    """Coarse to fine: a few shape modes find size and pose, then all of them the face."""
    return (
        FitStage(level=0, iterations=5, modes=30, reach_mm=25.0, robust_mm=8.0, noise_mm=1.5),
        FitStage(level=1, iterations=4, modes=120, reach_mm=12.0, robust_mm=4.0, noise_mm=0.8),
        FitStage(level=1, iterations=4, modes=None, reach_mm=7.0, robust_mm=2.0, noise_mm=0.6),
        FitStage(level=1, iterations=4, modes=None, reach_mm=3.0, robust_mm=0.7, noise_mm=0.5),
    )


@dataclass(frozen=True)
class FitSettings:
    """How the fit is made; lengths in mm, angles in radians."""

    stages: tuple[FitStage, ...] = field(default_factory=default_fit_stages)
    normal_limit_rad: float = 0.8
    """A partner whose normal is turned by more is not believed."""
    landmark_sigma_mm: float = 2.0
    """Standard deviation of a landmark that comes without one."""
    symmetry_mm: float = 0.25
    """Standard deviation of the gap of a vertex less its mirror image's, where the two sides are compared."""
    symmetry_strip_mm: float = 8.0
    """How far from the midline that is."""
    symmetry_robust_mm: float = 0.4
    """Such a difference at which it counts a quarter: the midline may be the torn edge of a scan from the side."""
    least_matches: int = 60
    """Vertices of the coarsest level that must find a partner."""


@dataclass(frozen=True, eq=False)
class FitProblem:
    """What is fitted to what; the fields are those of `FitOptions`."""

    scan: OrientedSurface
    model: ShapeModel
    settings: FitSettings
    weights: Floats | None = None
    landmarks: Mapping[str, Floats] = field(default_factory=dict)
    landmark_sigma_mm: Mapping[str, float] = field(default_factory=dict)
    landmark_vertices: Mapping[str, int] = field(default_factory=dict)
    mirror: Ints | None = None


@dataclass(frozen=True, eq=False)
class NewtonStep:
    """The outcome of a step; `vertices` are those it began with, `matched` (V,) how far each was believed."""

    code: Floats
    pose: Similarity
    precision: Floats
    matched: Floats
    vertices: Floats
    terms: Mapping[str, float]


def newton_steps(
    problem: FitProblem, start: Similarity, code: Floats | None = None
) -> Iterator[tuple[NewtonStep, FitStage, int]]:
    """Go through the stages of the settings and yield each step with its stage and number."""
    code = np.zeros(problem.model.code_size) if code is None else code
    pose, number = start, 0
    for stage in problem.settings.stages:
        for _ in range(stage.iterations):
            step = _gauss_newton(problem, stage, code, pose)
            code, pose = step.code, step.pose
            yield step, stage, number
            number += 1


def _gauss_newton(problem: FitProblem, stage: FitStage, code: Floats, pose: Similarity) -> NewtonStep:
    model = problem.model
    vertices = model.decode(code, level=stage.level)
    modes = model.code_size if stage.modes is None else min(stage.modes, model.code_size)
    jacobian = model.jacobian(code, level=stage.level)[:, :modes]
    found = _correspondences(problem, stage, vertices, pose)
    pick = np.flatnonzero(found.valid)
    rows, gaps = point_to_plane_rows(found, vertices, jacobian, pick=pick)
    trusted = np.ones(len(pick)) if problem.weights is None else problem.weights[pick]
    robust = trusted * geman_mcclure(gaps, scale_mm=stage.robust_mm)
    weight = robust / stage.noise_mm**2
    precision = _weighted_square(rows, weight)
    slope = rows.T @ (weight * gaps)
    if problem.mirror is not None and stage.modes is None:
        pairs = midline_pairs(problem.mirror, vertices, pick, strip_mm=problem.settings.symmetry_strip_mm)
        odd_rows, odd_gaps, believed = symmetry_residuals(rows, gaps, robust, pairs=pairs)
        # a difference of two gaps has the variance of both
        believed = believed * geman_mcclure(odd_gaps, scale_mm=problem.settings.symmetry_robust_mm)
        _add_rows(odd_rows, odd_gaps, 0.5 * believed / problem.settings.symmetry_mm**2, precision, slope)
    landmark_rms = _add_landmarks(problem, vertices, jacobian, pose, precision, slope)
    precision[np.arange(modes), np.arange(modes)] += 1.0
    slope[:modes] -= code[:modes]
    delta = solve_step(precision, slope)
    new_code = code.copy()
    new_code[:modes] += delta[:modes]
    motion = Similarity(rotation_from_vector(delta[modes : modes + 3]), delta[modes + 3 :])
    per_vertex = np.zeros(len(vertices))
    per_vertex[pick] = robust
    terms = {
        "cost": float(trusted @ geman_mcclure_cost(gaps, scale_mm=stage.robust_mm)) / stage.noise_mm**2
        + float(code @ code),
        "plane_rms_mm": float(np.sqrt(np.average(gaps**2, weights=robust + 1e-12))),
        "prior": float(new_code @ new_code),
        "landmark_rms_mm": landmark_rms,
        "step_mm": float(np.sqrt(np.mean((rows @ delta) ** 2))),
        "matched": float(per_vertex.mean()),
    }
    return NewtonStep(new_code, motion.inverse() @ pose, precision, per_vertex, vertices, terms)


def _correspondences(problem: FitProblem, stage: FitStage, vertices: Floats, pose: Similarity) -> Correspondences:
    """Partners of the vertices on the scan; too few are an error."""
    found = problem.scan.match(
        vertices,
        vertex_normals(vertices, problem.model.faces(stage.level)),
        pose=pose,
        reach_mm=stage.reach_mm,
        normal_limit_rad=problem.settings.normal_limit_rad,
        many_far=True,
    )
    count, least = np.count_nonzero(found.valid), problem.settings.least_matches
    if count < least:
        raise FitError(
            f"only {count} of {len(vertices)} points of the face find a partner within {stage.reach_mm:g} mm on "
            f"the scan; at least {least} are needed: is it a face, and is the unit right?"
        )
    return found


def _weighted_square(rows: Floats, weight: Floats) -> Floats:
    """`rows.T @ diag(weight) @ rows`, symmetric; summed in single precision, which the noise of scans never sees."""
    scaled = (rows * np.sqrt(weight)[:, None]).astype(np.float32)
    upper = linalg.blas.ssyrk(1.0, scaled.T, trans=0).astype(float)
    return upper + np.triu(upper, 1).T


def _add_rows(rows: Floats, gaps: Floats, weight: Floats, precision: Floats, slope: Floats) -> None:
    """Add rows with gaps and weights, 1/variance, to the normal equations in place."""
    precision += (rows * weight[:, None]).T @ rows
    slope += rows.T @ (weight * gaps)


def _add_landmarks(
    problem: FitProblem,
    vertices: Floats,
    jacobian: Floats,
    pose: Similarity,
    precision: Floats,
    slope: Floats,
) -> float:
    """Add the landmarks' rows to the normal equations in place; returns their rms distance in mm."""
    if not problem.landmarks:
        return 0.0
    inside = {k: v for k, v in problem.landmark_vertices.items() if v < len(vertices)}
    usable = {k: v for k, v in problem.landmarks.items() if k in inside or k not in problem.landmark_vertices}
    if not usable:
        return 0.0
    pick, targets = by_name(usable, inside)
    sigma = [problem.landmark_sigma_mm.get(n, problem.settings.landmark_sigma_mm) for n in sorted(usable)]
    rows, gaps = landmark_rows(pose.apply(targets), vertices, jacobian, pick=pick)
    _add_rows(rows, gaps, np.repeat(1.0 / np.square(sigma), 3), precision, slope)
    return float(np.sqrt(np.mean(np.sum(gaps.reshape(-1, 3) ** 2, axis=1))))
