"""Skin relief on the outer face of a part, where a completion carries any."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Mesh, face_cross, grow_rings
from facecom.prosthesis.defect.neighbourhood import refined
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import smooth_step
from facecom.skin.detail import Detail


@dataclass(frozen=True, eq=False)
class Relief:
    """The skin relief of a completion, to be laid on an outer face.

    skin : Detail, face frame, mm
    turn : (3, 3) rotation, face frame -> axis frame
    longest_mm : longest edge of the face that carries it
    """

    skin: Detail
    turn: Floats
    longest_mm: float

    def on(self, sheet: OuterSurface, *, share: float = 1.0) -> tuple[OuterSurface, float]:
        """A sheet in the axis frame with a share of the relief, and the rms of what it was moved by, mm.

        Heights at which the face would fold or cross itself give way.
        """
        mesh, _, finer = refined(sheet.mesh, np.zeros(len(sheet.mesh.faces), bool), longest_mm=self.longest_mm)
        fine = sheet.clipped(mesh, finer)
        height, normals = relief_at(fine.inward, mesh.vertices @ self.turn, self.skin)
        height = calm(mesh, share * height, normals @ self.turn.T)
        rough = mesh.with_vertices(mesh.vertices + height[:, None] * (normals @ self.turn.T))
        made = height[fine.inward > 1.0]
        rms = float(np.sqrt((made**2).mean())) if len(made) else float("nan")
        return replace(fine, mesh=rough), rms


def relief_at(
    inward: Floats, points: Floats, skin: Detail, *, fade_mm: float = 1.0, most_mm: float = 1.5
) -> tuple[Floats, Floats]:
    """Height of the relief at points near the completed skin, (V,), mm, and the normals (V, 3) along which it stands.

    Parameters
    ----------
    inward : (V,) mm, distance from the defect's edge; measured skin, where it is not positive, gets no relief
    fade_mm : over this distance from the defect's edge the relief sets in
    most_mm : none where the skin is farther away than this
    """
    found = Surface(skin.smooth).closest(points)
    corners = skin.smooth.faces[found.faces]
    at = lambda values: np.einsum("vk,vk...->v...", found.barycentric, values[corners])  # noqa: E731
    # The low part is shape, which the completed skin has already.
    height = at(skin.displacement - skin.low)
    near = (found.distance < most_mm) & (np.abs(height) < most_mm) & (inward > 0)
    return np.where(near, smooth_step(inward / fade_mm) * height, 0.0), at(skin.normals)


def calm(mesh: Mesh, height: Floats, normals: Floats, *, rounds: int = 8, flattest: float = 0.15) -> Floats:
    """Heights by which a mesh can be moved along normals without a face that folds or an edge that crosses.

    Those that would do so are halved with their neighbours, round by round, and at last left out.

    Parameters
    ----------
    flattest : least cosine between a face and the same one moved
    """
    up, value = face_cross(mesh.vertices, mesh.faces), height.copy()
    changed: Bools = value != 0
    for k in range(rounds):
        moved = mesh.with_vertices(mesh.vertices + value[:, None] * normals)
        now = face_cross(moved.vertices, mesh.faces)
        size = np.linalg.norm(now, axis=1) * np.linalg.norm(up, axis=1)
        bad = np.zeros(len(value), bool)
        bad[mesh.faces[np.einsum("fd,fd->f", now, up) < flattest * size].ravel()] = True
        edges, faces = self_intersections(moved, moved=changed)
        bad[edges.ravel()] = bad[mesh.faces[faces].ravel()] = True
        changed = grow_rings(mesh.faces, bad, 1) & (value != 0)
        if not changed.any():
            break
        value[changed] *= 0.5 if k < rounds // 2 else 0.0
    return value
