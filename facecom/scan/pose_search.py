"""Score poses of one oriented point set against a distance grid of another, many at once, and refine the best."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from facecom.errors import AlignmentError
from facecom.geometry.mesh import Floats, Ints, Mesh, face_cross, unit

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
GRID_MARGIN_MM = 30.0
"""Space around the samples that the distance grid covers."""
MAX_GRID_CELLS = 96
"""Cells of the distance grid along its longest side; larger scans get larger cells."""
MIN_COHERENCE = 0.2
"""Length of the mean of the normals in a voxel below which it shows no side: hair, or two sheets in one voxel."""
BASE_WEIGHT, FULL_RELIEF_PERCENTILE = 0.2, 90
"""Weight of a point without relief (one with full relief weighs 1 more), and the percentile that counts as full."""
DISTINCT_DEG, DISTINCT_MM = 12, 12
"""Poses that differ by less than both are one."""
MAX_ROTATION_RAD, MAX_SHIFT_MM = 0.3, 20
"""Largest rotation about each axis and translation along each that one ICP step may make."""
ICP_DAMPING, ICP_DAMPING_FLOOR = 1e-6, 1e-9
"""Levenberg-Marquardt damping of an ICP step, as a share of the trace, and its least value."""
BATCH = 2000
"""Hypotheses scored at a time by one thread."""


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


@dataclass(frozen=True, eq=False)
class Samples:
    """Oriented points (N, 3), normals as they are and averaged, and the weight of each in a score, (N,)."""

    points: Floats
    normals: Floats
    smooth_normals: Floats
    weights: Floats


def oriented_samples(mesh: Mesh, settings: AlignSettings, *, flip: bool = False) -> Samples:
    """The surface averaged over the cells of a grid."""
    cross = face_cross(mesh.vertices, mesh.faces) * (-0.5 if flip else 0.5)
    area = np.linalg.norm(cross, axis=1)
    centres = mesh.vertices[mesh.faces].mean(1)
    cell = np.floor(centres / settings.voxel_mm).astype(np.int64)
    _, index = np.unique(cell, axis=0, return_inverse=True)
    index = index.ravel()
    total = np.maximum(np.bincount(index, area), 1e-12)
    points = _sums(centres * area[:, None], index) / total[:, None]
    normal_sums = _sums(cross, index)
    keep = np.linalg.norm(normal_sums, axis=1) > MIN_COHERENCE * total
    points, normal_sums = points[keep], normal_sums[keep]
    tree = cKDTree(points)
    pairs = tree.sparse_distance_matrix(tree, settings.smooth_radius_mm, output_type="coo_matrix").tocsr()
    pairs.data[:] = 1.0
    return Samples(
        points, unit(normal_sums), unit(normal_sums + pairs @ normal_sums), _relief_weights(points, settings)
    )


def _sums(values: Floats, index: Ints) -> Floats:
    """Sums (G, 3) of the rows of values (N, 3) of each group."""
    return np.stack([np.bincount(index, values[:, k]) for k in range(3)], axis=1)


def _relief_weights(points: Floats, settings: AlignSettings) -> Floats:
    """Weight of each point, (N,): more where the surface stands off its mean, as at the nose."""
    tree = cKDTree(points)
    near = tree.sparse_distance_matrix(tree, settings.relief_radius_mm, output_type="coo_matrix").tocsr()
    near.data[:] = 1.0
    around = (near @ points + points) / (np.asarray(near.sum(1)).ravel() + 1)[:, None]
    relief = np.linalg.norm(points - around, axis=1)
    full = max(float(np.percentile(relief, FULL_RELIEF_PERCENTILE)), 1e-12)  # a scan within one voxel has none
    return BASE_WEIGHT + np.clip(relief / full, 0, 1) ** 2


def farthest_points(points: Floats, count: int) -> Ints:
    """Indices of up to `count` well-spread rows, starting with the one nearest to the mean."""
    count = min(count, len(points))
    chosen = np.empty(count, np.int64)
    chosen[0] = np.argmin(np.linalg.norm(points - points.mean(0), axis=1))
    squared_distance = np.sum((points - points[chosen[0]]) ** 2, axis=1)
    for k in range(1, count):
        chosen[k] = np.argmax(squared_distance)
        squared_distance = np.minimum(squared_distance, np.sum((points - points[chosen[k]]) ** 2, axis=1))
    return chosen


class _Grid:
    """Nearest sample of the scan for any point, read from a voxel grid."""

    def __init__(self, samples: Samples, *, voxel_mm: float) -> None:
        low, high = samples.points.min(0) - GRID_MARGIN_MM, samples.points.max(0) + GRID_MARGIN_MM
        self.voxel = max(voxel_mm, float((high - low).max()) / MAX_GRID_CELLS)
        self.low = low.astype(np.float32)
        shape = np.ceil((high - low) / self.voxel).astype(np.int32) + 1
        owner = np.full(shape, -1, np.int32)
        cell = np.round((samples.points - low) / self.voxel).astype(int)
        owner[tuple(cell.T)] = np.arange(len(cell))
        nearest = ndimage.distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
        self.owner = owner[tuple(nearest)].ravel()
        self.shape = shape
        self.points = samples.points.astype(np.float32)
        self.normals = samples.normals.astype(np.float32)

    def lookup(self, points: NDArray[np.floating]) -> Ints:
        """Index of the nearest sample of each point, (...,)."""
        cell = np.rint((points - self.low) / np.float32(self.voxel)).astype(np.int32)
        cell = np.clip(cell, 0, self.shape - 1)
        return self.owner[(cell[..., 0] * self.shape[1] + cell[..., 1]) * self.shape[2] + cell[..., 2]]


def search(samples: Samples, template: Samples, settings: AlignSettings) -> list[tuple[Floats, Floats, float]]:
    """Rotation, translation and score of distinct poses template -> samples, best first.

    Raises
    ------
    AlignmentError
        When there are too few samples to hold a face.
    """
    if len(samples.points) < MIN_SAMPLES:
        raise AlignmentError(f"the scan is smaller than {MIN_SAMPLES * settings.voxel_mm**2:.0f} mm2; check the unit")
    grid = _Grid(samples, voxel_mm=settings.voxel_mm * GRID_CELL_SHARE)
    fewest, few, many = (farthest_points(template.points, count) for count in SCORED_POINTS)
    rotations, translations = _hypotheses(samples, template, settings)
    scores = _score(grid, template, fewest, rotations, translations, settings.sigma_mm[0])
    best = _best_per_scan_point(scores, settings)
    rotations, translations = rotations[best], translations[best]
    for sigma in np.linspace(settings.sigma_mm[0], settings.sigma_mm[1], ICP_STEPS[0]):
        rotations, translations = _icp_step(grid, template, few, rotations, translations, sigma)
    scores = _score(grid, template, many, rotations, translations, settings.sigma_mm[1])
    best = _distinct(rotations, translations, scores, count=KEPT_FACTOR * settings.candidates)
    rotations, translations = rotations[best], translations[best]
    for sigma in np.linspace(settings.sigma_mm[1], settings.sigma_mm[2], ICP_STEPS[1]):
        rotations, translations = _icp_step(grid, template, many, rotations, translations, sigma)
    scores = _score(grid, template, many, rotations, translations, settings.sigma_mm[2])
    best = _distinct(rotations, translations, scores, count=settings.candidates)
    return [(rotations[k], translations[k], scores[k]) for k in best]


def _hypotheses(samples: Samples, template: Samples, settings: AlignSettings) -> tuple[Floats, Floats]:
    """Template -> scan poses (H, 3, 3), (H, 3) that bring an anchor onto a scan point, normals equal, roll free."""
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
    return rotations, end - np.einsum("hij,hj->hi", rotations, start)


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


def _matches(grid: _Grid, template: Samples, pick: Ints, rotations: Floats, translations: Floats) -> tuple:
    """For H poses and N template points: places and target normals (H, N, 3); distances along those, squared
    distances and cosines of the normals, (H, N).
    """
    # single precision: a pose of the search is good to millimetres, and half the memory moves in half the time
    turns = rotations.astype(np.float32).transpose(0, 2, 1)
    points = template.points[pick].astype(np.float32) @ turns + translations.astype(np.float32)[:, None]
    normals = template.normals[pick].astype(np.float32) @ turns
    owner = grid.lookup(points)
    offset = grid.points[owner] - points
    target = grid.normals[owner]
    along = np.einsum("hnd,hnd->hn", offset, target)
    cosine = np.maximum(np.einsum("hnd,hnd->hn", normals, target), 0.0)
    # samples are one voxel apart: what lies within half a voxel along the surface is no distance
    squared_aside = np.maximum(np.einsum("hnd,hnd->hn", offset, offset) - along**2, 0.0)
    squared = along**2 + np.maximum(np.sqrt(squared_aside) - np.float32(grid.voxel), 0.0) ** 2
    return points, target, along, squared, cosine


def _score(
    grid: _Grid, template: Samples, pick: Ints, rotations: Floats, translations: Floats, sigma_mm: float
) -> Floats:
    """Weighted share of the template points that each pose brings onto the samples, normals included, (H,)."""
    weight = template.weights[pick] / template.weights[pick].sum()

    def score(at: int) -> Floats:
        batch = slice(at, at + BATCH)
        *_, squared, cosine = _matches(grid, template, pick, rotations[batch], translations[batch])
        return (cosine**2 * np.exp(-0.5 * squared / sigma_mm**2)) @ weight

    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(score, range(0, len(rotations), BATCH))))


def _icp_step(
    grid: _Grid, template: Samples, pick: Ints, rotations: Floats, translations: Floats, sigma_mm: float
) -> tuple[Floats, Floats]:
    """One robust point-to-plane step of all poses (Chen and Medioni 1992; weights of Geman and McClure)."""
    points, target, along, squared, cosine = _matches(grid, template, pick, rotations, translations)
    weight = cosine**2 / (1.0 + squared / sigma_mm**2) ** 2
    centre = points.mean(1, keepdims=True)
    rows = np.concatenate([np.cross(points - centre, target), target], axis=-1)
    weighted = (rows * weight[..., None]).transpose(0, 2, 1)
    normal = (weighted @ rows).astype(float)
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    damping = ICP_DAMPING * trace * np.eye(6) + ICP_DAMPING_FLOOR * np.eye(6)
    step = np.linalg.solve(normal + damping, weighted @ along[..., None])[..., 0]
    rotation = _rotations(np.clip(step[:, :3], -MAX_ROTATION_RAD, MAX_ROTATION_RAD))
    moved = translations - centre[:, 0]
    translations = (
        np.einsum("hij,hj->hi", rotation, moved) + centre[:, 0] + np.clip(step[:, 3:], -MAX_SHIFT_MM, MAX_SHIFT_MM)
    )
    return rotation @ rotations, translations


def _rotations(vectors: Floats) -> Floats:
    """Rotations (H, 3, 3) by rotation vectors (H, 3) (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    k = np.zeros((len(vectors), 3, 3))
    k[:, 2, 1], k[:, 0, 2], k[:, 1, 0] = vectors.T
    k -= k.transpose(0, 2, 1)
    safe = np.where(angle > 1e-9, angle, 1.0)
    return np.eye(3) + np.sin(angle) / safe * k + (1 - np.cos(angle)) / safe**2 * (k @ k)


def _distinct(rotations: Floats, translations: Floats, scores: Floats, *, count: int) -> Ints:
    """Best-first indices of poses that differ enough from every better one."""
    order = np.argsort(-scores, kind="stable")
    turns, places = rotations[order].reshape(-1, 9), translations[order]
    open_, chosen = np.ones(len(order), bool), []
    for k in range(len(order)):
        if not open_[k]:
            continue
        chosen.append(order[k])
        if len(chosen) == count:
            break
        # the trace of R1 R2^T is the product of the two as vectors
        rotated = turns @ turns[k] < 1 + 2 * np.cos(np.radians(DISTINCT_DEG))
        open_ &= rotated | (np.linalg.norm(places - places[k], axis=1) > DISTINCT_MM)
    return np.array(chosen, dtype=np.int64)
