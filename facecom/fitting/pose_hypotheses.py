"""Pose hypotheses compared: a rough fit from each, the best kept by how much of a face it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecom.errors import FitError
from facecom.fitting.newton import FitProblem, NewtonStep, newton_steps
from facecom.fitting.types import COARSEST_LEVEL, FIT_LEVEL, FitSettings, FitStage, ShapeModel
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Floats, vertex_normals
from facecom.geometry.transform import Similarity

FACE_BOX_MM = 60.0
"""Half the side of a box about the size of a face, whose corners tell how far apart two poses move a face."""


@dataclass(frozen=True, eq=False)
class PoseHypothesis:
    """A rough fit from one starting pose.

    score : 0..1, share of the trusted face that the scan explains to within `PoseHypothesisSettings.inlier_mm`;
    rms_mm : of the correspondences; prior : squared length of the code for each entry used.
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
        (6, FitStage(level=COARSEST_LEVEL, iterations=2, modes=40, reach_mm=20.0, robust_mm=6.0, noise_mm=1.5)),
        (3, FitStage(level=COARSEST_LEVEL, iterations=3, modes=40, reach_mm=15.0, robust_mm=5.0, noise_mm=1.5)),
        (1, FitStage(level=FIT_LEVEL, iterations=3, modes=60, reach_mm=10.0, robust_mm=3.0, noise_mm=1.0)),
    )
    """Stages that every remaining hypothesis goes through, and how many remain after each."""
    distinct_mm: float = 4.0
    """Poses that move the face by less than this are one."""
    inlier_mm: float = 1.5
    """Residual that counts as explained (standard deviation of a Gaussian)."""
    prior_cost: float = 0.12
    """What an implausible shape costs the score, for each unit of squared code beyond one for each entry."""
    normal_limit_rad: float = 1.0
    """A correspondence whose normal differs by a larger angle is rejected; wide, as a starting pose is rough."""
    min_correspondences: int = 40
    """Vertices of the face that must find a correspondence for a pose to be kept."""
    score_reach_mm: float = 6.0
    """Correspondences farther away explain nothing when a rough fit is scored."""
    score_normal_limit_rad: float = 0.8
    """Nor do those whose normal differs by a larger angle."""


def best_pose_hypothesis(
    scan: OrientedSurface,
    model: ShapeModel,
    poses: Sequence[Similarity],
    *,
    weights: Floats,
    settings: PoseHypothesisSettings | None = None,
    with_scale: bool = False,
) -> PoseHypothesis | None:
    """The pose from which size and a few shape modes explain the most of the face; None when nothing matches.

    Parameters
    ----------
    poses : scan frame (mm) -> face frame, to start from
    weights : (V,) for the vertices of the finest level used: how much each counts
    with_scale : whether the size of the face is sought too; the pose that comes back then has a scale
    """
    settings = settings or PoseHypothesisSettings()
    hypotheses = [PoseHypothesis(pose, np.zeros(model.code_size), 0.0, np.inf, 0.0) for pose in poses]
    comparison = _Comparison(scan, model, weights, settings, with_scale)
    for count, stage in settings.rounds:
        fits = (comparison.rough_fit(start, stage) for start in hypotheses)
        best_first = sorted((fitted for fitted in fits if fitted is not None), key=lambda fitted: -fitted.score)
        hypotheses = _distinct(best_first, settings, count=count)
    return hypotheses[0] if hypotheses else None


def _distinct(
    hypotheses: list[PoseHypothesis], settings: PoseHypothesisSettings, *, count: int
) -> list[PoseHypothesis]:
    """The first `count` hypotheses that differ: corners of a face-sized box lie apart in the scan's frame."""
    corners = FACE_BOX_MM * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 0]), axis=-1).reshape(-1, 3)
    kept: list[tuple[Floats, PoseHypothesis]] = []
    for start in hypotheses:
        placed = start.pose.inverse().apply(corners)
        if all(np.abs(placed - other).max() > settings.distinct_mm for other, _ in kept):
            kept.append((placed, start))
        if len(kept) == count:
            break
    return [start for _, start in kept]


@dataclass(frozen=True, eq=False)
class _Comparison:
    """What all hypotheses are fitted to and scored by."""

    scan: OrientedSurface
    model: ShapeModel
    weights: Floats
    settings: PoseHypothesisSettings
    with_scale: bool

    def rough_fit(self, start: PoseHypothesis, stage: FitStage) -> PoseHypothesis | None:
        """The hypothesis after the iterations of a stage; None where too little matches."""
        options = FitSettings(
            stages=(stage,),
            normal_limit_rad=self.settings.normal_limit_rad,
            reciprocal_mm=np.inf,  # a starting pose is too rough to say which vertex is nearest
            min_correspondences=self.settings.min_correspondences,
        )
        problem = FitProblem(self.scan, self.model, options, self.weights, with_scale=self.with_scale)
        try:
            *_, (last, _, _) = newton_steps(problem, start.pose, start.code)
        except FitError:
            return None
        return self._scored(last, stage)

    def _scored(self, last: NewtonStep, stage: FitStage) -> PoseHypothesis:
        """How much of the face the scan explains after the last step."""
        settings = self.settings
        vertices = self.model.decode(last.code, level=stage.level)
        found = self.scan.match(
            vertices,
            vertex_normals(vertices, self.model.faces(stage.level)),
            pose=last.pose,
            reach_mm=settings.score_reach_mm,
            normal_limit_rad=settings.score_normal_limit_rad,
            prefilter=True,
        )
        residual = np.einsum("vd,vd->v", found.points - vertices, found.normals)
        trusted = self.weights[: len(residual)]
        explained = found.valid * np.exp(-0.5 * (residual / settings.inlier_mm) ** 2)
        prior = float(last.code @ last.code) / (stage.modes or self.model.code_size)
        score = float(trusted @ explained / trusted.sum()) - settings.prior_cost * max(prior - 1.0, 0.0)
        inliers = trusted * found.valid
        rms = float(np.sqrt(inliers @ residual**2 / max(inliers.sum(), 1e-9)))
        return PoseHypothesis(last.pose, last.code, score, rms, prior)
