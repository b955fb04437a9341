"""New patch vertices: points of the face whose spacing blends from the scan's at the rim to the template's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.subdivision import midpoint_matrix, split_faces

MAX_HALVINGS = 4
"""Halvings of a template edge at most: 1 mm becomes 0.06 mm."""
MAX_LENGTH_OVER_MEDIAN = 3.0
"""Longer edges of a rim than this many times its median count as torn and are cut to it."""
SAMPLES_PER_EDGE = 4
"""Points along each rim edge at which the sizing field is given."""
CLEARANCE = 0.7
"""Least distance of new vertices to the rim and to each other, over the target length."""
BORDER_CLEARANCE = 0.3
"""The same for vertices of the face's border, which stay wherever they can."""
MIN_REACH_SPREADS = 10.0
"""The rim has a say at least this many times the largest target length away."""
COARSER = 1.1
"""Template vertices are thinned where the target length is longer than the template's by this factor."""
FINER = 0.75
"""Template faces are halved where the target length is shorter than this share of their own."""
FAR_LENGTHS = 6
"""Edge lengths from the rim beyond which template vertices over the scan are left out, but for the coarsest levels."""
COARSE_SHARE = 16
"""One in so many vertices belongs to the two coarser levels and stays over the scan, for large triangles there."""


@dataclass(frozen=True, eq=False)
class SizingField:
    """The target edge length over the face: the rim's at the rim, the template's own far from it.

    Parameters
    ----------
    samples : cKDTree of (S, 3) points along the rim, mm
    sample_length : (S,) float, mm, target length there
    grading : float, change of the target length per mm
    """

    samples: cKDTree
    sample_length: Floats
    grading: float

    def evaluate(self, points: Floats, template_length: Floats) -> tuple[Floats, Floats]:
        """Target edge length and distance to the rim, (Q,) each, mm.

        The distance is infinite where the rim no longer has a say.

        Parameters
        ----------
        points : (Q, 3) float, mm
        template_length : (Q,) float, mm, the template's own edge length there
        """
        spread = max(np.ptp(self.sample_length), np.max(template_length, initial=0.0), self.sample_length.max())
        reach = max(spread / self.grading, MIN_REACH_SPREADS * spread)
        distance, nearest = self.samples.query(points, distance_upper_bound=reach, workers=-1)
        start = np.append(self.sample_length, 0.0)[nearest]
        step = self.grading * distance
        longer = np.minimum(template_length, start + step)
        return np.where(start < template_length, longer, np.maximum(template_length, start - step)), distance


def sizing_field(foot_points: Floats, edges: Ints, edge_length: Floats, *, grading: float) -> SizingField:
    """The sizing field of a rim.

    Parameters
    ----------
    foot_points : (N, 3) float, mm, on the face
    edges : (E, 2) int, rim edges
    edge_length : (N,) float, mm, of the scan at each vertex
    grading : float, change of the target length per mm
    """
    t = np.arange(SAMPLES_PER_EDGE) / float(SAMPLES_PER_EDGE)
    a, b = foot_points[edges[:, 0]], foot_points[edges[:, 1]]
    samples = (a[:, None] * (1 - t)[None, :, None] + b[:, None] * t[None, :, None]).reshape(-1, 3)
    middle = 0.5 * (edge_length[edges[:, 0]] + edge_length[edges[:, 1]])
    # a few torn edges of a depth frame must not make the whole patch coarse
    length = np.repeat(np.minimum(middle, MAX_LENGTH_OVER_MEDIAN * np.median(middle)), len(t))
    return SizingField(cKDTree(samples), length, grading)


def mean_edge_lengths(face: Mesh) -> Floats:
    """Mean length of the edges at each vertex, (V,), mm; an edge counts once for each of its faces.

    Examples
    --------
    >>> mean_edge_lengths(Mesh(np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]]), [[0, 1, 2]]))
    array([3.5, 4. , 4.5])
    """
    ends = np.stack([face.faces, np.roll(face.faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    length = np.linalg.norm(face.vertices[ends[:, 0]] - face.vertices[ends[:, 1]], axis=1)
    count = np.maximum(np.bincount(ends.ravel(), minlength=len(face.vertices)), 1)
    return np.bincount(ends.ravel(), np.repeat(length, 2), minlength=len(face.vertices)) / count


def sample_face(
    face: Mesh, *, template_length: Floats, missing: Floats, border: Ints, sizing: SizingField
) -> sp.csr_matrix:
    """Choose the points to triangulate.

    Parameters
    ----------
    face : Mesh
        Vertices in nested order (coarse first) thin out evenly where the rim is coarser than the template.
    template_length : (V,) float, mm, its `mean_edge_lengths`
    missing : (V,) float in 0..1, how surely the scan lacks the face here
    border : (B,) int, the vertices of the face's border, which stay wherever the rim does not pass
    sizing : SizingField

    Returns
    -------
    (P, V) sparse; each row gives a point as a mean of face vertices
    """
    target, distance = sizing.evaluate(face.vertices, template_length)
    keep = _template_points(face, missing, template_length, target=target, distance=distance)
    keep[border] = distance[border] > BORDER_CLEARANCE * target[border]
    rows = [sp.identity(len(face.vertices), format="csr")[np.flatnonzero(keep)]]
    midpoints = _midpoints(face, missing, sizing)
    if midpoints.shape[0]:
        points = midpoints @ face.vertices
        target, distance = sizing.evaluate(points, midpoints @ template_length)
        taken = cKDTree(np.concatenate([face.vertices[keep], np.full((1, 3), 1e9)]))
        free = (distance > CLEARANCE * target) & (taken.query(points)[0] > CLEARANCE * target)
        index = np.flatnonzero(free)
        rows.append(midpoints[index[_spread(points[index], CLEARANCE * target[index])]])
    return sp.vstack(rows).tocsr()


def _template_points(face: Mesh, missing: Floats, length: Floats, *, target: Floats, distance: Floats) -> Bools:
    """Template vertices that stay: clear of the rim, thinned where the target length is longer, few over the scan."""
    count = len(face.vertices)
    keep = distance > CLEARANCE * target
    covered = (missing < 0.5) & (distance > FAR_LENGTHS * length)
    keep &= ~covered | (np.arange(count) < count // COARSE_SHARE)
    thin = np.flatnonzero(keep & (target > COARSER * length) & ~covered)
    keep[thin] = _spread(face.vertices[thin], CLEARANCE * target[thin])
    return keep


def _spread(points: Floats, radius: Floats) -> Bools:
    """Points to keep, in order, unless an earlier one lies within the radius of a kept one (Poisson disks)."""
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


def _midpoints(face: Mesh, missing: Floats, sizing: SizingField) -> sp.csr_matrix:
    """Midpoints of ever smaller pieces of those faces that are larger than the target, coarse first, (P, V)."""
    count = len(face.vertices)
    matrix, faces = sp.identity(count, format="csr"), face.faces
    faces = faces[missing[faces].max(1) > 0]
    found = []
    for _ in range(MAX_HALVINGS):
        points = matrix @ face.vertices
        corners = points[faces]
        length = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean(1)
        target, distance = sizing.evaluate(corners.mean(1), length)
        faces = faces[(target < FINER * length) & (distance > 0)]
        if not len(faces):
            break
        used, local = np.unique(faces, return_inverse=True)
        finer, parents = split_faces(local.reshape(-1, 3), len(used))
        matrix = midpoint_matrix(parents, len(used)) @ matrix[used]
        found.append(matrix[len(used) :])
        faces = finer
    return sp.vstack(found).tocsr() if found else sp.csr_matrix((0, count))
