"""New patch vertices: points of the face surface whose spacing blends from the scan's rim to the template's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.subdivision import midpoint_matrix, split_faces

_FINEST = 4  # halvings of a template edge; 1 mm becomes 0.06 mm
_TORN = 3.0  # times the median length of a rim's edges: longer ones are taken for torn
_CLEARANCE = 0.7  # of the wanted edge length, to the rim and to each other


@dataclass(frozen=True, eq=False)
class Sizes:
    """The wanted edge length over the face: the rim's at the rim, `own` far from it.

    samples : (S, 3) points along the rim; sample_size : (S,) wanted there, mm; grading : change of length per mm.
    """

    samples: cKDTree
    sample_size: Floats
    grading: float

    def at(self, points: Floats, own: Floats) -> tuple[Floats, Floats]:
        """Wanted edge length and distance to the rim, both (Q,), mm, where the template's own length is `own`.

        The distance is infinite where the rim no longer has a say.
        """
        spread = max(np.ptp(self.sample_size), np.max(own, initial=0.0), self.sample_size.max())
        reach = max(spread / self.grading, 10.0 * spread)
        distance, nearest = self.samples.query(points, distance_upper_bound=reach, workers=-1)
        start = np.append(self.sample_size, 0.0)[nearest]
        step = self.grading * distance
        return np.where(start < own, np.minimum(own, start + step), np.maximum(own, start - step)), distance


def rim_sizes(feet: Floats, edges: Ints, length: Floats, *, grading: float) -> Sizes:
    """Sizes from the rim's feet on the face; each rim edge is sampled at a quarter of its length."""
    t = np.arange(4) / 4.0
    a, b = feet[edges[:, 0]], feet[edges[:, 1]]
    samples = (a[:, None] * (1 - t)[None, :, None] + b[:, None] * t[None, :, None]).reshape(-1, 3)
    middle = 0.5 * (length[edges[:, 0]] + length[edges[:, 1]])
    # a few torn edges of a depth frame must not make the whole patch coarse
    size = np.repeat(np.minimum(middle, _TORN * np.median(middle)), len(t))
    return Sizes(cKDTree(samples), size, grading)


def own_lengths(face: Mesh) -> Floats:
    """Mean length of the edges at each vertex, (V,), mm; an edge counts once for each of its faces."""
    ends = np.stack([face.faces, np.roll(face.faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    length = np.linalg.norm(face.vertices[ends[:, 0]] - face.vertices[ends[:, 1]], axis=1)
    count = np.maximum(np.bincount(ends.ravel(), minlength=len(face.vertices)), 1)
    return np.bincount(ends.ravel(), np.repeat(length, 2), minlength=len(face.vertices)) / count


def sample_face(face: Mesh, *, own: Floats, missing: Floats, border: Ints, sizes: Sizes) -> sp.csr_matrix:
    """Choose the points to triangulate.

    Parameters
    ----------
    face : Mesh
        Vertices in nested order (coarse first) thin out evenly where the rim is coarser than the template.
    own : (V,), its `own_lengths`
    missing : (V,) float in 0..1, how surely the scan lacks the face here
    border : (B,) int, the vertices of the face's border, which stay wherever the rim does not pass
    sizes : Sizes

    Returns
    -------
    (P, V) sparse; each row gives a point as a mean of face vertices
    """
    wanted, distance = sizes.at(face.vertices, own)
    keep = _template_points(face, missing, own, wanted, distance)
    keep[border] = distance[border] > 0.3 * wanted[border]
    rows = [sp.identity(len(face.vertices), format="csr")[np.flatnonzero(keep)]]
    fine = _fine_points(face, missing, sizes)
    if fine.shape[0]:
        points = fine @ face.vertices
        wanted, distance = sizes.at(points, fine @ own)
        taken = cKDTree(np.concatenate([face.vertices[keep], np.full((1, 3), 1e9)]))
        free = (distance > _CLEARANCE * wanted) & (taken.query(points)[0] > _CLEARANCE * wanted)
        index = np.flatnonzero(free)
        rows.append(fine[index[_thin(points[index], _CLEARANCE * wanted[index])]])
    return sp.vstack(rows).tocsr()


def _template_points(face: Mesh, missing: Floats, own: Floats, wanted: Floats, distance: Floats) -> Bools:
    count = len(face.vertices)
    keep = distance > _CLEARANCE * wanted
    covered = (missing < 0.5) & (distance > 6 * own)
    keep &= ~covered | (np.arange(count) < count // 16)
    thin = np.flatnonzero(keep & (wanted > 1.1 * own) & ~covered)
    keep[thin] = _thin(face.vertices[thin], _CLEARANCE * wanted[thin])
    return keep


def _thin(points: Floats, radius: Floats) -> Bools:
    """Keep points in order unless an earlier one lies within the radius."""
    keep = np.ones(len(points), bool)
    if not len(points):
        return keep
    near = cKDTree(points).query_ball_point(points, radius)
    for k, others in enumerate(near):
        if keep[k]:
            for other in others:
                if other > k:
                    keep[other] = False
    return keep


def _fine_points(face: Mesh, missing: Floats, sizes: Sizes) -> sp.csr_matrix:
    """Midpoints of ever smaller pieces of those faces that are larger than wanted, coarse first."""
    count = len(face.vertices)
    matrix, faces = sp.identity(count, format="csr"), face.faces
    faces = faces[missing[faces].max(1) > 0]
    found = []
    for _ in range(_FINEST):
        points = matrix @ face.vertices
        corners = points[faces]
        size = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean(1)
        wanted, distance = sizes.at(corners.mean(1), size)
        faces = faces[(wanted < 0.75 * size) & (distance > 0)]
        if not len(faces):
            break
        used, local = np.unique(faces, return_inverse=True)
        finer, parents = split_faces(local.reshape(-1, 3), len(used))
        matrix = midpoint_matrix(parents, len(used)) @ matrix[used]
        found.append(matrix[len(used) :])
        faces = finer
    return sp.vstack(found).tocsr() if found else sp.csr_matrix((0, count))
