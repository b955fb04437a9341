"""How strong relief should be where nothing was observed: continued from the rim, led by the opposite side."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unique_edges
from facecom.skin.band_filters import Singles
from facecom.skin.height_patches import HeightPatches, tangent_frames
from facecom.skin.membrane import edge_differences

FOLD_SPREAD = (2.0, 1.3, 0.7, 0.5)
"""By how many nepers band power may exceed its median, finest band first, before it counts as a fold's."""
PIXEL_STEP = 2
"""Every so many pixels of a height map are looked at: band power is smooth over more than that."""
NEAREST_PIXELS = 12
"""Pixels at most over which a value is averaged."""


def observed_band_power(
    height_patches: HeightPatches,
    values: Singles,
    points: Floats,
    *,
    mirrored: bool,
    reach_mm: float = 1.0,
    from_centre_mm: float = 3.2,
) -> tuple[Floats, Bools]:
    """Mean, near given points, of what the height maps of one side show.

    Parameters
    ----------
    height_patches : HeightPatches, N of them
    values : (N, B, S, S) float32, of each pixel, as their `log_power` or `direction`
    points : (Q, 3) float, mm
    mirrored : bool, which side
    reach_mm : float, how near a pixel must be
    from_centre_mm : float, pixels farther from the middle of their map are left out

    Returns
    -------
    mean : (Q, B) float
    found : (Q,) bool, False where no valid pixel is within reach
    """
    chosen = height_patches.valid & (height_patches.mirrored == mirrored)[:, None, None]
    away = int(round(chosen.shape[1] / 2 - from_centre_mm / height_patches.pixel_mm))
    middle = np.zeros(chosen.shape[1:], bool)
    middle[away:-away:PIXEL_STEP, away:-away:PIXEL_STEP] = True
    chosen &= middle
    n, y, x = np.nonzero(chosen)
    if not len(n):
        return np.zeros((len(points), values.shape[1])), np.zeros(len(points), bool)
    tree = cKDTree(height_patches.points[n, y, x])
    distance, at = tree.query(points, k=min(NEAREST_PIXELS, len(n)), distance_upper_bound=reach_mm, workers=-1)
    distance, at = distance.reshape(len(points), -1), at.reshape(len(points), -1)
    near = np.isfinite(distance)
    chosen_values = values[n, :, y, x].astype(float)
    at = np.where(near, at, 0)
    total = near.sum(1)
    mean = (chosen_values[at] * near[..., None]).sum(1) / np.maximum(total, 1)[:, None]
    return mean, total > 0


def target_band_power(
    mesh: Mesh,
    values: Floats,
    observed: Bools,
    *,
    mirrored: Floats,
    mirrored_observed: Bools,
    mirror_weight: float,
    region: Ints | None = None,
    across_regions: float = 0.02,
    range_mm: float = 15.0,
    spread: tuple[float, ...] = FOLD_SPREAD,
) -> Floats:
    """Log band power on every vertex: near the observed one where there is one, elsewhere its smooth continuation.

    The least-squares field whose differences along edges are `mirror_weight` times those of the opposite side where
    that was observed and zero elsewhere (a guided membrane, Perez et al. 2003), drawn towards the median of what was
    observed over `range_mm`. Bands that exceed the median by more than their `spread` stand on folds and are cut
    there: folds are strong in long waves, so the spread falls from fine to coarse. It serves other fields, as
    directions, as well.

    Parameters
    ----------
    mesh : Mesh, C vertices, mm
    values, mirrored : (C, B) float, here and on the opposite side
    observed, mirrored_observed : (C,) bool, where they were observed
    mirror_weight : float, share of the opposite side's differences
    region : (C,) int or None
    across_regions : float, weight of edges from one region to another
    range_mm : float
    spread : B floats, nepers

    Raises
    ------
    ValueError
        When nothing was observed.
    """
    if not observed.any():
        raise ValueError("no relief was observed around what is missing, so there is none to continue")
    edges, _, _ = unique_edges(mesh.faces)
    differences = edge_differences(edges, len(mesh.vertices))
    led = np.all(mirrored_observed[edges], axis=1)[:, None]
    guide = mirror_weight * np.where(led, differences @ mirrored, 0.0)
    area = vertex_areas(mesh.vertices, mesh.faces)
    median = np.array([_weighted_median(band, area[observed]) for band in values[observed].T])
    data = sp.diags(np.where(observed, area, 0.0))
    weight = sp.diags(_edge_weights(mesh, edges, region, across_regions))
    system = (differences.T @ weight @ differences + data + sp.diags(area / range_mm**2)).tocsc()
    excess = np.minimum(values - median, spread)
    return splu(system).solve(differences.T @ weight @ guide + data @ excess) + median


def _edge_weights(mesh: Mesh, edges: Ints, region: Ints | None, across_regions: float) -> Floats:
    """Cotangent weight of each edge, (E,), not negative, smaller from one region to another."""
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    weights = np.maximum(-np.asarray(stiffness[edges[:, 0], edges[:, 1]]).ravel(), 0.0)
    if region is None:
        return weights
    return weights * np.where(region[edges[:, 0]] == region[edges[:, 1]], 1.0, across_regions)


def with_tension_lines(direction: Floats, compression: Floats, normals: Floats, *, share: float) -> Floats:
    """Directions (C, 2) with that of faces at large added where none was observed.

    The shorter an observed direction is, the less it tells; a share of the rest goes to the compression.

    Parameters
    ----------
    direction : (C, 2) float, as `local_direction` gives it, continued
    compression : (C, 3, 3) float
        How expressions compress the skin, symmetric; wrinkles run across its leading direction.
    normals : (C, 3) float
    share : float, of what is left to a direction of length one

    Examples
    --------
    >>> across = np.diag([1.0, 0.0, 0.0])[None]
    >>> with_tension_lines(np.array([[0.0, 0.0]]), across, np.array([[0.0, 0, 1]]), share=0.3)
    array([[0.3, 0. ]])
    """
    plane = tangent_frames(normals)[:, :2]
    flat = plane @ compression @ np.swapaxes(plane, 1, 2)
    size = np.maximum(flat[:, 0, 0] + flat[:, 1, 1], 1e-12)[:, None]
    expected = np.stack([flat[:, 0, 0] - flat[:, 1, 1], 2.0 * flat[:, 0, 1]], axis=1) / size
    free = np.clip(1.0 - np.linalg.norm(direction, axis=1, keepdims=True), 0.0, 1.0)
    return direction + share * free * expected


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])
