"""Coloured meshes in the displayed frame, mm. Values, no page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.apps.viewer.scene.glb import glb_bytes
from facecom.drawing.colors import RGB
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals

MARK_OFFSET_MM, ERASED_OFFSET_MM = 0.4, 0.6
"""Offsets of overlays along the normals, so that they cover what is below: marks, and marks that are taken back."""


@dataclass(frozen=True, eq=False)
class PaintedMesh:
    """A mesh with a colour for each vertex.

    mesh : Mesh, mm; colors : (V, 3) in 0..1; normals : (V, 3)
    """

    mesh: Mesh
    colors: Floats
    normals: Floats

    @classmethod
    def of(cls, mesh: Mesh, vertex_colors: RGB | Floats) -> PaintedMesh:
        """Colour a mesh with one colour, or with one for each vertex."""
        wide = np.broadcast_to(np.asarray(vertex_colors, float), mesh.vertices.shape)
        return cls(mesh, wide, vertex_normals(mesh.vertices, mesh.faces))

    def submesh(self, faces: Bools) -> PaintedMesh:
        """Some of the faces (F,), with the normals of the whole, so that no seam shows."""
        mesh, index = self.mesh.submesh(faces)
        return PaintedMesh(mesh, self.colors[index], self.normals[index])

    def offset(self, distance_mm: float) -> PaintedMesh:
        """The mesh moved along its normals."""
        moved = self.mesh.with_vertices(self.mesh.vertices + distance_mm * self.normals)
        return PaintedMesh(moved, self.colors, self.normals)

    def glb(self) -> bytes:
        """The mesh as a GLB file."""
        return glb_bytes(self.mesh.vertices, self.mesh.faces, self.normals, self.colors)


@dataclass(frozen=True, eq=False)
class PaintedScene:
    """Coloured meshes by name, and the legend of their colours."""

    meshes: dict[str, PaintedMesh]
    legend: str


def overlay(whole: PaintedMesh, touched: Bools, color: RGB | None) -> PaintedMesh | None:
    """The faces at touched vertices (V,), a little above the mesh; in the mesh's own colours without a `color`."""
    chosen = np.asarray(touched[whole.mesh.faces].any(axis=1))
    if not chosen.any():
        return None
    part = whole.submesh(chosen)
    if color is None:
        return part.offset(ERASED_OFFSET_MM)
    recolored = PaintedMesh(part.mesh, np.broadcast_to(color, part.mesh.vertices.shape), part.normals)
    return recolored.offset(MARK_OFFSET_MM)
