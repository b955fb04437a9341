"""The race of starting poses: a rough fit from each, the best kept by how much of a face it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecom.errors import FitError
from facecom.fitting.newton import FitProblem, FitSettings, FitStage, ShapeModel, newton_steps
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Floats, vertex_normals
from facecom.geometry.transform import Similarity


@dataclass(frozen=True, eq=False)
class PoseHypothesis:
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
class PoseHypothesisSettings:
    """How starting poses are compared; lengths in mm."""

    rounds: tuple[tuple[int, FitStage], ...] = (
        (6, FitStage(level=0, iterations=2, modes=40, reach_mm=20.0, robust_mm=6.0, noise_mm=1.5)),
        (3, FitStage(level=0, iterations=3, modes=40, reach_mm=15.0, robust_mm=5.0, noise_mm=1.5)),
        (1, FitStage(level=1, iterations=3, modes=60, reach_mm=10.0, robust_mm=3.0, noise_mm=1.0)),
    )
    """Stages that every pose still in the race goes through, and how many stay after each."""
    apart_mm: float = 4.0
    """Poses that move the face by less than this are one."""
    close_mm: float = 1.5
    """Gap that counts as explained (standard deviation of a Gaussian)."""
    prior_cost: float = 0.12
    """What an implausible shape costs the score, for each unit of squared code beyond one for each entry."""


def best_pose_hypothesis(
    scan: OrientedSurface,
    model: ShapeModel,
    poses: Sequence[Similarity],
    *,
    weights: Floats,
    settings: PoseHypothesisSettings | None = None,
) -> PoseHypothesis | None:
    """The pose from which size and a few shape modes explain the most of the face; None when nothing matches.

    Parameters
    ----------
    poses : scan frame (mm) -> face frame, to start from
    weights : (V,) for the vertices of the finest level used: how much each counts
    """
    settings = settings or PoseHypothesisSettings()
    race = [PoseHypothesis(pose, np.zeros(model.code_size), 0.0, np.inf, 0.0) for pose in poses]
    for left, stage in settings.rounds:
        tried = [_rough_fit(scan, model, start, weights, settings, stage) for start in race]
        race = _distinct(sorted((s for s in tried if s is not None), key=lambda s: -s.score), settings, count=left)
    return race[0] if race else None


def _distinct(starts: list[PoseHypothesis], settings: PoseHypothesisSettings, *, count: int) -> list[PoseHypothesis]:
    """The first `count` starts that differ: corners of a face-sized box lie apart in the scan's frame."""
    corners = 60.0 * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 0]), axis=-1).reshape(-1, 3)
    kept: list[tuple[Floats, PoseHypothesis]] = []
    for start in starts:
        placed = start.pose.inverse().apply(corners)
        if all(np.abs(placed - other).max() > settings.apart_mm for other, _ in kept):
            kept.append((placed, start))
        if len(kept) == count:
            break
    return [start for _, start in kept]


def _rough_fit(
    scan: OrientedSurface,
    model: ShapeModel,
    start: PoseHypothesis,
    weights: Floats,
    settings: PoseHypothesisSettings,
    stage: FitStage,
) -> PoseHypothesis | None:
    options = FitSettings(stages=(stage,), normal_limit_rad=1.0, least_matches=40)
    problem = FitProblem(scan, model, options, weights)
    try:
        for step, _, _ in newton_steps(problem, start.pose, start.code):
            last = step
    except FitError:
        return None
    vertices = model.decode(last.code, level=stage.level)
    normals = vertex_normals(vertices, model.faces(stage.level))
    found = scan.match(vertices, normals, pose=last.pose, reach_mm=6.0, normal_limit_rad=0.8, many_far=True)
    gap = np.einsum("vd,vd->v", found.points - vertices, found.normals)
    trusted = weights[: len(gap)]
    close = found.valid * np.exp(-0.5 * (gap / settings.close_mm) ** 2)
    prior = float(last.code @ last.code) / (stage.modes or model.code_size)
    score = float(trusted @ close / trusted.sum()) - settings.prior_cost * max(prior - 1.0, 0.0)
    inside = trusted * found.valid
    rms = float(np.sqrt(inside @ gap**2 / max(inside.sum(), 1e-9)))
    return PoseHypothesis(last.pose, last.code, score, rms, prior)
