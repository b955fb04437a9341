"""Second-order fit of pose and code to a scan, coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy import linalg

from facecom.errors import FitError
from facecom.fitting.terms import by_name, geman_mcclure, landmark_rows, plane_rows
from facecom.geometry.matching import OrientedSurface
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
class Stage:
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


def default_stages() -> tuple[Stage, ...]:
    """Coarse to fine: a few shape modes find size and pose, then all of them the face."""
    return (
        Stage(level=0, iterations=5, modes=30, reach_mm=25.0, robust_mm=8.0, noise_mm=1.5),
        Stage(level=1, iterations=4, modes=120, reach_mm=12.0, robust_mm=4.0, noise_mm=0.8),
        Stage(level=1, iterations=4, modes=None, reach_mm=7.0, robust_mm=2.0, noise_mm=0.6),
        Stage(level=1, iterations=4, modes=None, reach_mm=3.0, robust_mm=0.7, noise_mm=0.5),
    )


@dataclass(frozen=True)
class FitSettings:
    """How the fit is made; lengths in mm, angles in radians."""

    stages: tuple[Stage, ...] = field(default_factory=default_stages)
    normal_limit_rad: float = 0.8
    """A partner whose normal is turned by more is not believed."""
    landmark_sigma_mm: float = 2.0
    """Standard deviation of a landmark that comes without one."""
    least_matches: int = 60
    """Vertices of the coarsest level that must find a partner."""


@dataclass(frozen=True, eq=False)
class FitState:
    """The fit after one iteration.

    code : (M,); pose : scan frame (mm) -> face frame; vertices : (V, 3) of the stage's level, face frame, mm;
    terms : value of each term by name (`plane_rms_mm`, `prior`, `landmark_rms_mm`, `step_mm`).
    """

    code: Floats
    pose: Similarity
    vertices: Floats
    level: int
    iteration: int
    terms: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Fit:
    """The finished fit.

    precision : (M + 6, M + 6) second derivative of the cost in code and rigid motion of the face (rotation vector about
    the origin of the face frame, translation): the inverse is the posterior covariance.
    matched : (V,) weight in 0..1 with which each vertex of the last level found a partner.
    """

    code: Floats
    pose: Similarity
    vertices: Floats
    level: int
    precision: Floats
    matched: Floats
    terms: Mapping[str, float]
    converged: bool


@dataclass(frozen=True, eq=False)
class _Problem:
    scan: OrientedSurface
    model: ShapeModel
    settings: FitSettings
    weights: Floats | None
    landmarks: Mapping[str, Floats]
    landmark_sigma_mm: Mapping[str, float]
    landmark_vertices: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class _Step:
    code: Floats
    pose: Similarity
    precision: Floats
    weight: Floats
    vertices: Floats
    terms: Mapping[str, float]


def iterate_fit(
    scan: OrientedSurface,
    model: ShapeModel,
    start: Similarity,
    *,
    settings: FitSettings | None = None,
    weights: Floats | None = None,
    landmarks: Mapping[str, Floats] | None = None,
    landmark_sigma_mm: Mapping[str, float] | None = None,
    landmark_vertices: Mapping[str, int] | None = None,
) -> Iterator[FitState]:
    """Yield the state after each Gauss-Newton iteration; the caller may stop, plot or print.

    Parameters
    ----------
    start : pose scan frame (mm) -> face frame to begin with
    weights : (V,) in 0..1 for the vertices of the finest level used: how much each is trusted to be face
    landmarks : name -> (3,) point in the scan's frame, mm
    landmark_sigma_mm : name -> standard deviation, for those that differ from the settings
    landmark_vertices : name -> vertex of the template, for all names that may occur

    Raises
    ------
    FitError
        When too few vertices find a partner on the scan; the message carries the figures.
    """
    settings = settings or FitSettings()
    problem = _Problem(
        scan, model, settings, weights, landmarks or {}, landmark_sigma_mm or {}, landmark_vertices or {}
    )
    for step, stage, iteration in _steps(problem, start):
        yield FitState(step.code, step.pose, step.vertices, stage.level, iteration, step.terms)


def fit(
    scan: OrientedSurface,
    model: ShapeModel,
    start: Similarity,
    *,
    settings: FitSettings | None = None,
    weights: Floats | None = None,
    landmarks: Mapping[str, Floats] | None = None,
    landmark_sigma_mm: Mapping[str, float] | None = None,
    landmark_vertices: Mapping[str, int] | None = None,
) -> Fit:
    """Drain `iterate_fit` (same parameters and errors) and return the last state with its second derivative."""
    settings = settings or FitSettings()
    problem = _Problem(
        scan, model, settings, weights, landmarks or {}, landmark_sigma_mm or {}, landmark_vertices or {}
    )
    last, last_stage = None, None
    for step, stage, _ in _steps(problem, start):
        last, last_stage = step, stage
    if last is None or last_stage is None:
        raise ValueError("the fit has no stages; give at least one")
    vertices = model.decode(last.code, level=last_stage.level)
    return Fit(
        code=last.code,
        pose=last.pose,
        vertices=vertices,
        level=last_stage.level,
        precision=last.precision,
        matched=last.weight,
        terms=last.terms,
        converged=last.terms["step_mm"] < 0.05,
    )


def take_in(fitted: Fit, rows: Floats, gaps: Floats, weights: Floats) -> Fit:
    """The fit after it has taken in further observations: one Gauss-Newton step from its optimum.

    Parameters
    ----------
    rows : (n, M + 6), derivative by code and motion; gaps : (n,), mm; weights : (n,), 1 / variance
    """
    precision = fitted.precision + (rows * weights[:, None]).T @ rows
    delta = linalg.solve(precision, rows.T @ (weights * gaps), assume_a="pos")
    motion = Similarity(rotation_from_vector(delta[-6:-3]), delta[-3:])
    return replace(fitted, code=fitted.code + delta[:-6], pose=motion.inverse() @ fitted.pose, precision=precision)


def _steps(problem: _Problem, start: Similarity, code: Floats | None = None) -> Iterator[tuple[_Step, Stage, int]]:
    code = np.zeros(problem.model.code_size) if code is None else code
    pose, iteration = start, 0
    for stage in problem.settings.stages:
        for _ in range(stage.iterations):
            step = _gauss_newton(problem, stage, code, pose)
            code, pose = step.code, step.pose
            yield step, stage, iteration
            iteration += 1


def _gauss_newton(problem: _Problem, stage: Stage, code: Floats, pose: Similarity) -> _Step:
    model, settings = problem.model, problem.settings
    vertices = model.decode(code, level=stage.level)
    modes = model.code_size if stage.modes is None else min(stage.modes, model.code_size)
    jacobian = model.jacobian(code, level=stage.level)[:, :modes]
    normals = vertex_normals(vertices, model.faces(stage.level))
    found = problem.scan.match(
        vertices, normals, pose=pose, reach_mm=stage.reach_mm, normal_limit_rad=settings.normal_limit_rad
    )
    pick = np.flatnonzero(found.valid)
    if len(pick) < settings.least_matches:
        raise FitError(
            f"only {len(pick)} of {len(vertices)} points of the face find a partner within {stage.reach_mm:g} mm on "
            f"the scan; at least {settings.least_matches} are needed: is it a face, and is the unit right?"
        )
    rows, gaps = plane_rows(found, vertices, jacobian, pick=pick)
    robust = geman_mcclure(gaps, scale_mm=stage.robust_mm)
    if problem.weights is not None:
        robust = robust * problem.weights[pick]
    weight = robust / stage.noise_mm**2
    precision = _weighted_square(rows, weight)
    slope = rows.T @ (weight * gaps)
    landmark_rms = _add_landmarks(problem, vertices, jacobian, pose, precision, slope)
    precision[np.arange(modes), np.arange(modes)] += 1.0
    slope[:modes] -= code[:modes]
    delta = linalg.solve(precision, slope, assume_a="pos")
    new_code = code.copy()
    new_code[:modes] += delta[:modes]
    motion = Similarity(rotation_from_vector(delta[modes : modes + 3]), delta[modes + 3 :])
    per_vertex = np.zeros(len(vertices))
    per_vertex[pick] = robust
    terms = {
        "plane_rms_mm": float(np.sqrt(np.average(gaps**2, weights=robust + 1e-12))),
        "prior": float(new_code @ new_code),
        "landmark_rms_mm": landmark_rms,
        "step_mm": float(np.sqrt(np.mean((rows @ delta) ** 2))),
        "matched": float(per_vertex.mean()),
    }
    return _Step(new_code, motion.inverse() @ pose, precision, per_vertex, vertices, terms)


def _weighted_square(rows: Floats, weight: Floats) -> Floats:
    """`rows.T @ diag(weight) @ rows`, symmetric; summed in single precision, which the noise of scans never sees."""
    scaled = (rows * np.sqrt(weight)[:, None]).astype(np.float32)
    upper = linalg.blas.ssyrk(1.0, scaled.T, trans=0).astype(float)
    return upper + np.triu(upper, 1).T


def _add_landmarks(
    problem: _Problem,
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
    weight = np.repeat(1.0 / np.square(sigma), 3)
    precision += (rows * weight[:, None]).T @ rows
    slope += rows.T @ (weight * gaps)
    return float(np.sqrt(np.mean(np.sum(gaps.reshape(-1, 3) ** 2, axis=1))))


@dataclass(frozen=True, eq=False)
class Start:
    """A rough fit from one starting pose.

    score : 0..1, share of the trusted face that the scan explains to within `StartSettings.close_mm`;
    rms_mm : of what was matched; prior : squared length of the code for each entry used.
    """

    pose: Similarity
    code: Floats
    score: float
    rms_mm: float
    prior: float


@dataclass(frozen=True)
class StartSettings:
    """How starting poses are compared; lengths in mm."""

    rounds: tuple[tuple[int, Stage], ...] = (
        (6, Stage(level=0, iterations=3, modes=40, reach_mm=20.0, robust_mm=6.0, noise_mm=1.5)),
        (3, Stage(level=0, iterations=3, modes=40, reach_mm=15.0, robust_mm=5.0, noise_mm=1.5)),
        (1, Stage(level=1, iterations=3, modes=60, reach_mm=10.0, robust_mm=3.0, noise_mm=1.0)),
    )
    """Stages that every pose still in the race goes through, and how many stay after each."""
    apart_mm: float = 4.0
    """Poses that move the face by less than this are one."""
    close_mm: float = 1.5
    """Gap that counts as explained (standard deviation of a Gaussian)."""
    prior_cost: float = 0.12
    """What an implausible shape costs the score, for each unit of squared code beyond one for each entry."""


def best_start(
    scan: OrientedSurface,
    model: ShapeModel,
    poses: Sequence[Similarity],
    *,
    weights: Floats,
    settings: StartSettings | None = None,
) -> Start | None:
    """The pose from which size and a few shape modes explain the most of the face; None when nothing matches.

    Parameters
    ----------
    poses : scan frame (mm) -> face frame, to start from
    weights : (V,) for the vertices of the finest level used: how much each counts
    """
    settings = settings or StartSettings()
    race = [Start(pose, np.zeros(model.code_size), 0.0, np.inf, 0.0) for pose in poses]
    for left, stage in settings.rounds:
        tried = [_rough_fit(scan, model, start, weights, settings, stage) for start in race]
        race = _distinct(sorted((s for s in tried if s is not None), key=lambda s: -s.score), settings, count=left)
    return race[0] if race else None


def _distinct(starts: list[Start], settings: StartSettings, *, count: int) -> list[Start]:
    """The first `count` starts that differ: corners of a face-sized box lie apart in the scan's frame."""
    corners = 60.0 * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 0]), axis=-1).reshape(-1, 3)
    kept: list[tuple[Floats, Start]] = []
    for start in starts:
        placed = start.pose.inverse().apply(corners)
        if all(np.abs(placed - other).max() > settings.apart_mm for other, _ in kept):
            kept.append((placed, start))
        if len(kept) == count:
            break
    return [start for _, start in kept]


def _rough_fit(
    scan: OrientedSurface, model: ShapeModel, start: Start, weights: Floats, settings: StartSettings, stage: Stage
) -> Start | None:
    options = FitSettings(stages=(stage,), normal_limit_rad=1.0, least_matches=40)
    problem = _Problem(scan, model, options, weights, {}, {}, {})
    try:
        for step, _, _ in _steps(problem, start.pose, start.code):
            last = step
    except FitError:
        return None
    vertices = model.decode(last.code, level=stage.level)
    normals = vertex_normals(vertices, model.faces(stage.level))
    found = scan.match(vertices, normals, pose=last.pose, reach_mm=6.0, normal_limit_rad=0.8)
    gap = np.einsum("vd,vd->v", found.points - vertices, found.normals)
    trusted = weights[: len(gap)]
    close = found.valid * np.exp(-0.5 * (gap / settings.close_mm) ** 2)
    prior = float(last.code @ last.code) / (stage.modes or model.code_size)
    score = float(trusted @ close / trusted.sum()) - settings.prior_cost * max(prior - 1.0, 0.0)
    inside = trusted * found.valid
    rms = float(np.sqrt(inside @ gap**2 / max(inside.sum(), 1e-9)))
    return Start(last.pose, last.code, score, rms, prior)
