"""Search for the rigid poses in which one oriented point set looks like another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.errors import AlignmentError
from facecom.geometry.mesh import Floats, Ints, unit
from facecom.scan.oriented_samples import Samples, farthest_points
from facecom.scan.pose_scoring import DistanceGrid, Poses, PoseScorer

SCORED_POINTS = (60, 120, 300)
"""Points of the reference face that score hypotheses, that the first ICP steps use, and that the last ones use."""
ICP_STEPS = (6, 10)
"""ICP steps from the first scale to the second, and from there to the third."""
KEPT_FACTOR = 4
"""Distinct poses that go on to the last ICP steps, for each one returned."""
MIN_SAMPLES = 12
"""Cells of the grid that a scan must cover to hold a face."""
BASE_SCAN_POINTS = 40
"""Points of the scan that are tried, besides those for its area."""
GRID_CELL_SHARE = 0.7
"""Cell of the distance grid in units of the samples' voxel."""
DISTINCT_DEG, DISTINCT_MM = 12, 12
"""Poses that differ by less than both are one."""


@dataclass(frozen=True)
class AlignSettings:
    """How the search for the face is made; lengths in mm, angles in radians."""

    voxel_mm: float = 6.0
    """Size of the cells in which the scan's surface is averaged to oriented points."""
    smooth_radius_mm: float = 14.0
    """Radius over which a normal is averaged before it fixes a hypothesis."""
    anchors: int = 10
    """Points of the reference face that are paired with points of the scan."""
    scan_point_spacing_mm: float = 20.0
    """Distance between the points of the scan that are tried."""
    max_scan_points: int = 400
    """Upper bound on their number, for scans with shoulders."""
    rolls: int = 12
    """Steps of the free rotation about the common normal."""
    kept_per_scan_point: int = 2
    """Hypotheses of each scan point that go on to the ICP, so that a large shoulder cannot crowd out a face."""
    relief_radius_mm: float = 25.0
    """Radius of the mean from which the reference's relief is measured: where there is relief a match says more."""
    candidates: int = 20
    """Distinct poses returned at most."""
    sigma_mm: tuple[float, float, float] = (16.0, 10.0, 5.0)
    """Scale of a distance: for scoring of hypotheses, for the first and for the last ICP steps."""


def search(samples: Samples, template: Samples, settings: AlignSettings) -> tuple[Poses, Floats]:
    """Distinct poses template -> samples and their scores, best first.

    Raises
    ------
    AlignmentError
        When there are too few samples to hold a face.
    """
    if len(samples.points) < MIN_SAMPLES:
        raise AlignmentError(f"the scan is smaller than {MIN_SAMPLES * settings.voxel_mm**2:.0f} mm2; check the unit")
    grid = DistanceGrid(samples, voxel_mm=settings.voxel_mm * GRID_CELL_SHARE)
    picks = [farthest_points(template.points, count) for count in SCORED_POINTS]
    fewest, few, many = (PoseScorer(grid, template, pick=pick) for pick in picks)
    wide, middle, narrow = settings.sigma_mm
    poses = _hypotheses(samples, template, settings)
    poses = poses[_best_per_scan_point(fewest.score(poses, sigma_mm=wide), settings)]
    for sigma in np.linspace(wide, middle, ICP_STEPS[0]):
        poses = few.icp_step(poses, sigma_mm=sigma)
    poses = poses[_distinct(poses, many.score(poses, sigma_mm=middle), count=KEPT_FACTOR * settings.candidates)]
    for sigma in np.linspace(middle, narrow, ICP_STEPS[1]):
        poses = many.icp_step(poses, sigma_mm=sigma)
    scores = many.score(poses, sigma_mm=narrow)
    best = _distinct(poses, scores, count=settings.candidates)
    return poses[best], scores[best]


def _hypotheses(samples: Samples, template: Samples, settings: AlignSettings) -> Poses:
    """Template -> scan poses that bring an anchor onto a scan point, normals equal, roll free."""
    anchors = farthest_points(template.points, settings.anchors)
    area = len(samples.points) * settings.voxel_mm**2
    count = BASE_SCAN_POINTS + int(area / settings.scan_point_spacing_mm**2)
    places = farthest_points(samples.points, min(settings.max_scan_points, count))
    source = _frames(template.smooth_normals[anchors])
    target = _frames(samples.smooth_normals[places])
    angle = np.arange(settings.rolls) * 2 * np.pi / settings.rolls
    roll = np.zeros((settings.rolls, 3, 3))
    roll[:, 0, 0] = roll[:, 1, 1] = np.cos(angle)
    roll[:, 1, 0], roll[:, 0, 1], roll[:, 2, 2] = np.sin(angle), -np.sin(angle), 1.0
    rotations = np.einsum("pij,rjk,alk->paril", target, roll, source).reshape(-1, 3, 3)
    shape = (len(places), len(anchors), settings.rolls, 3)
    start = np.broadcast_to(template.points[anchors][None, :, None], shape).reshape(-1, 3)
    end = np.broadcast_to(samples.points[places][:, None, None], shape).reshape(-1, 3)
    return Poses(rotations, end - np.einsum("hij,hj->hi", rotations, start))


def _best_per_scan_point(scores: Floats, settings: AlignSettings) -> Ints:
    """Indices of the best hypotheses of each scan point."""
    by_point = scores.reshape(-1, min(settings.anchors, len(scores)) * settings.rolls)
    order = np.argsort(-by_point, axis=1, kind="stable")[:, : settings.kept_per_scan_point]
    return (order + by_point.shape[1] * np.arange(len(by_point))[:, None]).ravel()


def _frames(normals: Floats) -> Floats:
    """Right-handed frames (N, 3, 3) whose third column is the normal."""
    helper = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0, 0]], [[0, 1.0, 0]])
    x = unit(np.cross(helper, normals))
    return np.stack([x, np.cross(normals, x), normals], axis=2)


def _distinct(poses: Poses, scores: Floats, *, count: int) -> Ints:
    """Best-first indices of poses that differ enough from every better one."""
    order = np.argsort(-scores, kind="stable")
    rotations, translations = poses.rotations[order].reshape(-1, 9), poses.translations[order]
    left, chosen = np.ones(len(order), bool), []
    for k in range(len(order)):
        if not left[k]:
            continue
        chosen.append(order[k])
        if len(chosen) == count:
            break
        # the trace of R1 R2^T is the product of the two as vectors
        rotated = rotations @ rotations[k] < 1 + 2 * np.cos(np.radians(DISTINCT_DEG))
        left &= rotated | (np.linalg.norm(translations - translations[k], axis=1) > DISTINCT_MM)
    return np.array(chosen, dtype=np.int64)
