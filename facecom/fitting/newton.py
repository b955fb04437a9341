"""Gauss-Newton steps of pose and code together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from facecom.errors import FitError
from facecom.fitting.normal_equations import MOTION_SIZE, solve_step, weighted_square
from facecom.fitting.terms import (
    geman_mcclure,
    geman_mcclure_cost,
    landmark_rows,
    landmark_targets,
    midline_pairs,
    point_to_plane_rows,
    symmetry_residuals,
)
from facecom.fitting.types import FitSettings, FitStage, FitTerm, ShapeModel
from facecom.geometry.correspondence import Correspondences, OrientedSurface, reciprocal
from facecom.geometry.mesh import Floats, Ints, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector

MAX_LOG_SCALE = 0.1
"""Largest change of the logarithm of the scale that one step may make."""


@dataclass(frozen=True, eq=False)
class FitProblem:
    """What is fitted to what; the fields are those of `FitOptions`.

    with_scale : whether the size of the face is sought beside its shape, for a scan whose unit nobody knows. It has no
    prior of its own: that of the code holds it, and the pose takes it up as its scale.
    """

    scan: OrientedSurface
    model: ShapeModel
    settings: FitSettings
    weights: Floats | None = None
    landmarks: Mapping[str, Floats] = field(default_factory=dict)
    landmark_sigma_mm: Mapping[str, float] = field(default_factory=dict)
    landmark_vertices: Mapping[str, int] = field(default_factory=dict)
    mirror: Ints | None = None
    with_scale: bool = False


@dataclass(frozen=True, eq=False)
class NewtonStep:
    """The outcome of a step; `vertices` are those it began with, `matched` (V,) the inlier weight of each.

    `precision` is over the code entries that move, the logarithm of the scale where it is sought, and the motion.
    """

    code: Floats
    pose: Similarity
    precision: Floats
    matched: Floats
    vertices: Floats
    terms: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Linearisation:
    """The face where a step begins: vertices (V, 3) and their derivative (3 V, modes) by the entries that move.

    Where the scale is sought, the derivative by its logarithm is one more column, the last.
    """

    stage: FitStage
    code: Floats
    pose: Similarity
    vertices: Floats
    jacobian: Floats
    modes: int


@dataclass(frozen=True, eq=False)
class _PlaneTerm:
    """Point-to-plane residuals of the n vertices `pick` that found a correspondence.

    rows : (n, modes + 6); residuals : (n,), mm; prior_weight : (n,) what the caller trusts each vertex;
    inlier_weight : (n,) the same times the robust weight.
    """

    pick: Ints
    rows: Floats
    residuals: Floats
    prior_weight: Floats
    inlier_weight: Floats


class _NormalEquations:
    """`precision @ step = rhs`, summed term by term."""

    def __init__(self, rows: Floats, residuals: Floats, weights: Floats) -> None:
        self.precision = weighted_square(rows, weights)
        self.rhs = rows.T @ (weights * residuals)

    def add(self, rows: Floats, residuals: Floats, weights: Floats) -> None:
        """Add rows (n, modes + 6) with residuals (n,) and weights (n,), 1/variance."""
        self.precision += (rows * weights[:, None]).T @ rows
        self.rhs += rows.T @ (weights * residuals)

    def add_prior(self, code: Floats) -> None:
        """Add the prior N(0, I) of the code entries that move."""
        entries = np.arange(len(code))
        self.precision[entries, entries] += 1.0
        self.rhs[: len(code)] -= code


def newton_steps(
    problem: FitProblem, start: Similarity, code: Floats | None = None
) -> Iterator[tuple[NewtonStep, FitStage, int]]:
    """Go through the stages of the settings and yield each step with its stage and number."""
    code = np.zeros(problem.model.code_size) if code is None else code
    pose, number = start, 0
    for stage in problem.settings.stages:
        for _ in range(stage.iterations):
            step = _gauss_newton(problem, _linearised(problem, stage, code, pose))
            code, pose = step.code, step.pose
            yield step, stage, number
            number += 1


def _linearised(problem: FitProblem, stage: FitStage, code: Floats, pose: Similarity) -> _Linearisation:
    model = problem.model
    vertices = model.decode(code, level=stage.level)
    modes = model.code_size if stage.modes is None else min(stage.modes, model.code_size)
    jacobian = model.jacobian(code, level=stage.level)[:, :modes]
    if problem.with_scale:
        # of the mean, not of this face: else an unusual face would be taken for a small one, in which what is unusual
        # about it is fewer mm
        mean = model.decode(np.zeros(model.code_size), level=stage.level)
        jacobian = np.concatenate([jacobian, mean.reshape(-1, 1)], axis=1)
    return _Linearisation(stage, code, pose, vertices, jacobian, modes)


def _gauss_newton(problem: FitProblem, at: _Linearisation) -> NewtonStep:
    stage, modes = at.stage, at.modes
    plane = _plane_term(problem, at)
    equations = _NormalEquations(plane.rows, plane.residuals, plane.inlier_weight / stage.noise_mm**2)
    if problem.mirror is not None and stage.modes is None:
        _add_symmetry(problem.mirror, problem.settings, at, plane, equations)
    landmark_rms = _add_landmarks(problem, at, equations)
    extra_cost = sum(_add_extra_term(term, at, equations) for term in problem.settings.extra_terms)
    equations.add_prior(at.code[:modes])
    delta = solve_step(equations.precision, equations.rhs)
    code = at.code.copy()
    code[:modes] += delta[:modes]
    growth = np.exp(np.clip(delta[modes], -MAX_LOG_SCALE, MAX_LOG_SCALE)) if problem.with_scale else 1.0
    motion = Similarity(rotation_from_vector(delta[-MOTION_SIZE:-3]), delta[-3:], float(growth))
    matched = np.zeros(len(at.vertices))
    matched[plane.pick] = plane.inlier_weight
    plane_cost = float(plane.prior_weight @ geman_mcclure_cost(plane.residuals, scale_mm=stage.robust_mm))
    terms = {
        "cost": plane_cost / stage.noise_mm**2 + float(at.code @ at.code) + extra_cost,
        "plane_rms_mm": float(np.sqrt(np.average(plane.residuals**2, weights=plane.inlier_weight + 1e-12))),
        "prior": float(code @ code),
        "landmark_rms_mm": landmark_rms,
        "step_mm": float(np.sqrt(np.mean((plane.rows @ delta) ** 2))),
        "matched": float(matched.mean()),
    }
    return NewtonStep(code, motion.inverse() @ at.pose, equations.precision, matched, at.vertices, terms)


def _plane_term(problem: FitProblem, at: _Linearisation) -> _PlaneTerm:
    found = _correspondences(problem, at)
    pick = np.flatnonzero(found.valid)
    rows, residuals = point_to_plane_rows(found, at.vertices, at.jacobian, pick=pick)
    trusted = np.ones(len(pick)) if problem.weights is None else problem.weights[pick]
    inlier_weight = trusted * geman_mcclure(residuals, scale_mm=at.stage.robust_mm)
    return _PlaneTerm(pick, rows, residuals, trusted, inlier_weight)


def _correspondences(problem: FitProblem, at: _Linearisation) -> Correspondences:
    """Closest points of the vertices on the scan; too few are an error."""
    found = problem.scan.match(
        at.vertices,
        vertex_normals(at.vertices, problem.model.faces(at.stage.level)),
        pose=at.pose,
        reach_mm=at.stage.reach_mm,
        normal_limit_rad=problem.settings.normal_limit_rad,
        prefilter=True,
    )
    found = replace(found, valid=reciprocal(found, at.vertices, tolerance_mm=problem.settings.reciprocal_mm))
    count, least = np.count_nonzero(found.valid), problem.settings.min_correspondences
    if count < least:
        raise FitError(
            f"only {count} of {len(at.vertices)} points of the face have a correspondence within "
            f"{at.stage.reach_mm:g} mm on the scan; at least {least} are needed: is it a face, and is the unit right?"
        )
    return found


def _add_symmetry(
    mirror: Ints, settings: FitSettings, at: _Linearisation, plane: _PlaneTerm, equations: _NormalEquations
) -> None:
    """Add the difference of the residuals of the two sides near the midline."""
    pairs = midline_pairs(mirror, at.vertices, plane.pick, strip_mm=settings.midline_mm)
    rows, residuals, weight = symmetry_residuals(plane.rows, plane.residuals, plane.inlier_weight, pairs=pairs)
    weight = weight * geman_mcclure(residuals, scale_mm=settings.symmetry_robust_mm)
    # a difference of two residuals has the variance of both
    equations.add(rows, residuals, 0.5 * weight / settings.symmetry_sigma_mm**2)


def _add_landmarks(problem: FitProblem, at: _Linearisation, equations: _NormalEquations) -> float:
    """Add the landmarks; returns their root mean square distance in mm."""
    if not problem.landmarks:
        return 0.0
    inside = {k: v for k, v in problem.landmark_vertices.items() if v < len(at.vertices)}
    usable = {k: v for k, v in problem.landmarks.items() if k in inside or k not in problem.landmark_vertices}
    if not usable:
        return 0.0
    pick, targets = landmark_targets(usable, inside)
    sigma = [problem.landmark_sigma_mm.get(n, problem.settings.landmark_sigma_mm) for n in sorted(usable)]
    rows, residuals = landmark_rows(at.pose.apply(targets), at.vertices, at.jacobian, pick=pick)
    equations.add(rows, residuals, np.repeat(1.0 / np.square(sigma), 3))
    return float(np.sqrt(np.mean(np.sum(residuals.reshape(-1, 3) ** 2, axis=1))))


def _add_extra_term(term: FitTerm, at: _Linearisation, equations: _NormalEquations) -> float:
    """Add a term of the caller's; returns its cost."""
    found = term(at.vertices, at.jacobian, pose=at.pose, level=at.stage.level)
    rows, residuals, weights = (np.asarray(part, float) for part in found)
    columns = at.jacobian.shape[1] + MOTION_SIZE
    if residuals.ndim != 1 or rows.shape != (len(residuals), columns) or weights.shape != residuals.shape:
        raise ValueError(
            f"a fit term must return rows (n, {columns}), residuals (n,) and weights (n,), "
            f"got shapes {rows.shape}, {residuals.shape} and {weights.shape}"
        )
    if not all(np.isfinite(part).all() for part in (rows, residuals, weights)) or (weights < 0).any():
        raise ValueError("a fit term must return finite numbers, and weights that are not negative")
    equations.add(rows, residuals, weights)
    return float(weights @ residuals**2)
