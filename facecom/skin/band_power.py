"""How strong relief should be where nothing was seen: carried in from the rim, led by the other side."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unique_edges
from facecom.skin.relief import HeightPatches, Singles, tangent_frames

FOLD_SPREAD = (2.0, 1.3, 0.7, 0.5)
"""By how many nepers energies may exceed their median, finest band first, before they count as a fold's."""


def observed_band_power(
    charts: HeightPatches,
    values: Singles,
    points: Floats,
    *,
    mirrored: bool,
    reach_mm: float = 1.0,
    from_centre_mm: float = 3.2,
) -> tuple[Floats, Bools]:
    """Mean of what the charts of one side measured near given points.

    Parameters
    ----------
    values : (N, B, S, S), of each pixel of the charts, as their `energy` or `direction`

    Returns
    -------
    mean : (Q, B) float
    found : (Q,) bool, False where no valid pixel lies within `reach_mm`
    """
    chosen = charts.valid & (charts.mirrored == mirrored)[:, None, None]
    away = int(round(chosen.shape[1] / 2 - from_centre_mm / charts.pixel_mm))
    middle = np.zeros(chosen.shape[1:], bool)
    middle[away:-away:2, away:-away:2] = True
    chosen &= middle
    n, y, x = np.nonzero(chosen)
    if not len(n):
        return np.zeros((len(points), values.shape[1])), np.zeros(len(points), bool)
    tree = cKDTree(charts.points[n, y, x])
    distance, at = tree.query(points, k=min(12, len(n)), distance_upper_bound=reach_mm, workers=-1)
    distance, at = distance.reshape(len(points), -1), at.reshape(len(points), -1)
    near = np.isfinite(distance)
    chosen_values = values[n, :, y, x].astype(float)
    at = np.where(near, at, 0)
    total = near.sum(1)
    mean = (chosen_values[at] * near[..., None]).sum(1) / np.maximum(total, 1)[:, None]
    return mean, total > 0


def target_band_power(
    mesh: Mesh,
    own: Floats,
    own_seen: Bools,
    *,
    other: Floats,
    other_seen: Bools,
    trust: float,
    region: Ints | None = None,
    across: float = 0.02,
    range_mm: float = 15.0,
    spread: tuple[float, ...] = FOLD_SPREAD,
) -> Floats:
    """Logarithmic band energies on every vertex, (C, B): near the seen ones kept, elsewhere a smooth continuation.

    It serves other measured fields, as directions, as well.

    The least-squares field whose differences along edges are `trust` times those of the mirrored side where that was
    seen and zero elsewhere (a guided membrane, Perez et al. 2003), drawn towards the median of what was seen over
    `range_mm`; edges from one `region` to another hold by the factor `across` only. Bands that exceed the median by
    more than their `spread` (nepers) stand on folds and are cut there: folds are strong in long waves, so the spread
    falls from fine to coarse.

    Raises
    ------
    ValueError
        When nothing was seen.
    """
    if not own_seen.any():
        raise ValueError("no relief was measured around what is missing, so there is none to continue")
    edges, _, _ = unique_edges(mesh.faces)
    count, rows = len(mesh.vertices), np.arange(len(edges))
    ones = np.ones(len(edges))
    places = (np.r_[rows, rows], np.r_[edges[:, 0], edges[:, 1]])
    slope = sp.coo_matrix((np.r_[-ones, ones], places), (len(edges), count)).tocsr()
    guide = trust * np.where(np.all(other_seen[edges], axis=1)[:, None], slope @ other, 0.0)
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    area = vertex_areas(mesh.vertices, mesh.faces)
    middle = np.array([_median(band, area[own_seen]) for band in own[own_seen].T])
    held = np.minimum(own - middle, spread)
    hold = sp.diags(np.where(own_seen, area, 0.0))
    weak = sp.diags(area / range_mm**2)
    weights = np.maximum(-np.asarray(stiffness[edges[:, 0], edges[:, 1]]).ravel(), 0.0)
    if region is not None:
        weights = weights * np.where(region[edges[:, 0]] == region[edges[:, 1]], 1.0, across)
    weight = sp.diags(weights)
    system = (slope.T @ weight @ slope + hold + weak).tocsc()
    return splu(system).solve(slope.T @ weight @ guide + hold @ held) + middle


def with_tension_lines(direction: Floats, squeeze: Floats, normals: Floats, *, share: float) -> Floats:
    """Directions (C, 2) with that of faces at large added where none was measured.

    The shorter a measured direction is, the less of its length is spoken for; the rest goes to the squeeze, by a share.

    Parameters
    ----------
    direction : (C, 2), as `local_direction` measures it, continued
    squeeze : (C, 3, 3), symmetric: how expressions squeeze the skin; relief runs across its leading direction
    normals : (C, 3)
    share : of what is left to 1

    Examples
    --------
    >>> across = np.diag([1.0, 0.0, 0.0])[None]
    >>> with_tension(np.array([[0.0, 0.0]]), across, np.array([[0.0, 0, 1]]), share=0.3)
    array([[0.3, 0. ]])
    """
    plane = tangent_frames(normals)[:, :2]
    flat = plane @ squeeze @ np.swapaxes(plane, 1, 2)
    size = np.maximum(flat[:, 0, 0] + flat[:, 1, 1], 1e-12)[:, None]
    expected = np.stack([flat[:, 0, 0] - flat[:, 1, 1], 2.0 * flat[:, 0, 1]], axis=1) / size
    free = np.clip(1.0 - np.linalg.norm(direction, axis=1, keepdims=True), 0.0, 1.0)
    return direction + share * free * expected


def extend_smoothly(mesh: Mesh, values: Floats, given: Bools, *, hold: float = 0.3) -> Floats:
    """Membrane (C, B) through values that are held where they are given, the more the larger `hold` is."""
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    area = vertex_areas(mesh.vertices, mesh.faces)
    weight = sp.diags(np.where(given, hold, 1e-6) * area)
    return splu((stiffness + weight).tocsc()).solve(weight @ np.where(given[:, None], values, 0.0))


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])
