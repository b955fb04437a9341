"""Skin relief on the outer face of a part, where a completion carries any."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Mesh, face_cross, grow_rings
from facecom.prosthesis.defect.neighbourhood import subdivide_long_edges
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import smoothstep
from facecom.skin.detail import Detail

FULL_RELIEF_MM = 1.0
"""Farther than this inside the defect the relief is laid on in full; its rms is taken there."""


@dataclass(frozen=True, eq=False)
class Relief:
    """The skin relief of a completion, to be laid on an outer face.

    Parameters
    ----------
    detail : Detail, face frame, mm
    rotation : (3, 3) float, face frame -> axis frame
    max_edge_mm : longest edge of the face that carries it
    """

    detail: Detail
    rotation: Floats
    max_edge_mm: float

    def on(self, outer: OuterSurface, *, share: float = 1.0) -> tuple[OuterSurface, float]:
        """An outer face, axis frame, with a share of the relief, and the rms of what it was moved by, mm.

        Heights at which the face would fold or intersect itself give way.
        """
        nothing_marked = np.zeros(len(outer.mesh.faces), bool)
        mesh, _, weights = subdivide_long_edges(outer.mesh, nothing_marked, max_edge_mm=self.max_edge_mm)
        fine = outer.resampled(mesh, weights)
        height, normals = sample_relief(fine.defect_distance, mesh.vertices @ self.rotation, self.detail)
        height = safe_heights(mesh, share * height, normals @ self.rotation.T)
        rough = mesh.with_vertices(mesh.vertices + height[:, None] * (normals @ self.rotation.T))
        in_full = height[fine.defect_distance > FULL_RELIEF_MM]
        rms = float(np.sqrt((in_full**2).mean())) if len(in_full) else float("nan")
        return replace(fine, mesh=rough), rms


def sample_relief(
    defect_distance: Floats, points: Floats, detail: Detail, *, fade_mm: float = FULL_RELIEF_MM, most_mm: float = 1.5
) -> tuple[Floats, Floats]:
    """Height of the skin relief at points near the completed skin, and the normals along which it stands.

    Parameters
    ----------
    defect_distance : (V,) float, mm, from the defect's edge; observed skin, where it is not positive, gets no relief
    points : (V, 3) float, mm, face frame
    detail : Detail, face frame
    fade_mm : over this distance from the defect's edge the relief sets in
    most_mm : none where the skin is farther away than this, or the relief higher

    Returns
    -------
    height : (V,) float, mm
    normals : (V, 3) float
    """
    found = Surface(detail.smooth).closest(points)
    corners = detail.smooth.faces[found.faces]

    def at(values: Floats) -> Floats:
        return np.asarray(np.einsum("vk,vk...->v...", found.barycentric, values[corners]))

    # The low band is shape, which the completed skin has already.
    height = at(detail.displacement - detail.base_offset)
    near = (found.distance < most_mm) & (np.abs(height) < most_mm) & (defect_distance > 0)
    return np.where(near, smoothstep(defect_distance / fade_mm) * height, 0.0), at(detail.normals)


def safe_heights(mesh: Mesh, height: Floats, normals: Floats, *, rounds: int = 8, least_cosine: float = 0.15) -> Floats:
    """Heights by which a mesh can be moved along normals without a face that folds or an edge that intersects one.

    Those that would do so are halved with their neighbours, round by round, and at last left out.

    Parameters
    ----------
    mesh : Mesh, mm
    height : (V,) float, mm
    normals : (V, 3) float, unit
    rounds : of which the second half leaves out
    least_cosine : between a face and the same one moved

    Returns
    -------
    (V,) float, mm
    """
    before, safe = face_cross(mesh.vertices, mesh.faces), height.copy()
    changed: Bools = safe != 0
    for k in range(rounds):
        moved = mesh.with_vertices(mesh.vertices + safe[:, None] * normals)
        bad = _folded(mesh, before, moved, least_cosine)
        edges, faces = self_intersections(moved, moved=changed)
        bad[edges.ravel()] = bad[mesh.faces[faces].ravel()] = True
        changed = grow_rings(mesh.faces, bad, 1) & (safe != 0)
        if not changed.any():
            break
        safe[changed] *= 0.5 if k < rounds // 2 else 0.0
    return safe


def _folded(mesh: Mesh, before: Floats, moved: Mesh, least_cosine: float) -> Bools:
    """Vertices of faces that turned too far from what they were, (V,); `before` are their doubled area vectors."""
    now = face_cross(moved.vertices, mesh.faces)
    size = np.linalg.norm(now, axis=1) * np.linalg.norm(before, axis=1)
    folded = np.zeros(len(mesh.vertices), bool)
    folded[mesh.faces[np.einsum("fd,fd->f", now, before) < least_cosine * size].ravel()] = True
    return folded
