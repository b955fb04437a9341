"""How strong relief should be where nothing was seen: carried in from the rim, led by the other side."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Mesh, unique_edges
from facecom.refine.relief import Charts


def energy_near(
    charts: Charts, points: Floats, *, mirrored: bool, reach_mm: float = 1.0, from_centre_mm: float = 3.2
) -> tuple[Floats, Bools]:
    """Band energies that the charts of one side measured near given points.

    Returns
    -------
    energy : (Q, B) float, logarithm of the mean square
    found : (Q,) bool, False where no valid pixel lies within `reach_mm`
    """
    chosen = charts.valid & (charts.mirrored == mirrored)[:, None, None]
    away = int(round(chosen.shape[1] / 2 - from_centre_mm / charts.pixel_mm))
    middle = np.zeros(chosen.shape[1:], bool)
    middle[away:-away:2, away:-away:2] = True
    chosen &= middle
    n, y, x = np.nonzero(chosen)
    if not len(n):
        return np.zeros((len(points), charts.bands.shape[1])), np.zeros(len(points), bool)
    tree = cKDTree(charts.points[n, y, x])
    distance, at = tree.query(points, k=min(12, len(n)), distance_upper_bound=reach_mm, workers=-1)
    distance, at = distance.reshape(len(points), -1), at.reshape(len(points), -1)
    near = np.isfinite(distance)
    values = charts.energy[n, :, y, x].astype(float)
    at = np.where(near, at, 0)
    total = near.sum(1)
    mean = (values[at] * near[..., None]).sum(1) / np.maximum(total, 1)[:, None]
    return mean, total > 0


def wanted_energy(
    mesh: Mesh,
    own: Floats,
    own_seen: Bools,
    *,
    other: Floats,
    other_seen: Bools,
    trust: float,
    range_mm: float = 15.0,
    spread: float = 0.9,
) -> Floats:
    """Logarithmic band energies on every vertex, (C, B): near the seen ones kept, elsewhere a smooth continuation.

    The least-squares field whose differences along edges are `trust` times those of the mirrored side where that was
    seen and zero elsewhere (a guided membrane, Perez et al. 2003), drawn towards the median of what was seen over
    `range_mm`. Values further than `spread` from the median are folds or hair and are brought back to it.

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
    guide = trust * np.where(other_seen[edges].all(1)[:, None], slope @ other, 0.0)
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    area = vertex_areas(mesh.vertices, mesh.faces)
    middle = np.median(own[own_seen], axis=0)
    held = np.clip(own - middle, -spread, spread)
    hold = sp.diags(np.where(own_seen, area, 0.0))
    weak = sp.diags(area / range_mm**2)
    weight = sp.diags(-np.asarray(stiffness[edges[:, 0], edges[:, 1]]).ravel())
    system = (stiffness + hold + weak).tocsc()
    return splu(system).solve(slope.T @ weight @ guide + hold @ held) + middle
