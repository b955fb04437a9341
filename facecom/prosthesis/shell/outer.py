"""The outer face of a part: cut out of the completed skin, lifted off it, and mended where it then crosses itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Bools, Floats, Mesh, unit
from facecom.prosthesis.defect.neighbourhood import Neighbourhood
from facecom.prosthesis.shell.border import opened, trimmed
from facecom.prosthesis.shell.margin import drawn_sheet, margin_around, plain_sheet
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import Thickness
from facecom.prosthesis.shell.tissue import above_tissue, tissue_mesh


@dataclass(frozen=True, eq=False)
class Outer:
    """The outer face of a part, as it is worn; face frame, mm.

    sheet : Sheet, the face itself; around : Sheet, the same reaching farther over the skin
    tissue : Mesh, what lies under it
    """

    sheet: OuterSurface
    around: OuterSurface
    tissue: Mesh


class MarginOutline:
    """The outer face of a part, drawn anew where it cannot end as it did.

    Parameters
    ----------
    near : Neighbourhood of the defect
    skin : (M, 3) float, mm, vertices of the merged mesh
    bed : Mesh or None, the part of the tissue that the part fills the room above
    clearance_mm : gap to that
    towards : (3,) float, the withdrawal axis
    redraws : after so many the border is left as it is when some of it was taken away
    """

    def __init__(
        self,
        near: Neighbourhood,
        skin: Floats,
        thickness: Thickness,
        *,
        bed: Mesh | None,
        clearance_mm: float,
        towards: Floats,
        redraws: int = 3,
    ) -> None:
        self._skin, self._bed, self._clearance = skin, bed, clearance_mm
        self._thickness, self._towards = thickness, towards
        self._band = margin_around(near, towards=towards)
        self._lost = np.zeros(len(self._band.inward), bool)
        self._left = redraws
        self._smooth: Floats | None = None

    def outer(self) -> Outer:
        """Cut the outer face out, lift it off the skin, and mend what then crosses."""
        while True:
            outer, gone = self._laid()
            if not gone.any() or not self._left:
                return outer[0]
            self._take(outer[1].mesh.vertices[gone])

    def without(self, sheet: OuterSurface, lost: Bools) -> Outer | None:
        """The same with the border drawn around some vertices of a sheet; None where it was drawn too often."""
        if not self._left:
            return None
        self._take(sheet.weights[lost] @ self._skin)
        return self.outer()

    def _take(self, points: Floats, *, reach_mm: float = 0.8) -> None:
        """Do without what lies at some points of the skin."""
        away, nearest = cKDTree(self._band.mesh.vertices).query(points)
        self._lost[nearest[away < 2.0 * reach_mm]] = True
        self._lost |= cKDTree(points).query(self._band.mesh.vertices, distance_upper_bound=reach_mm)[0] < reach_mm
        self._left -= 1

    def _laid(self) -> tuple[tuple[Outer, OuterSurface], Bools]:
        """The outer face, the skin under it, and which vertices of that were trimmed away."""
        towards, thickness = self._towards, self._thickness
        sheet, wide, own = drawn_sheet(self._band, self._lost)
        tissue = tissue_mesh(wide, self._bed, self._clearance)
        lifted = replace(wide, mesh=self._mended(wide))
        raised = above_tissue(lifted, tissue, unit(towards), thickness=thickness)
        higher = (raised.vertices != lifted.mesh.vertices).any(1)
        around = replace(lifted, mesh=remove_self_intersections(raised, moved=higher)[0])
        face = replace(sheet, mesh=sheet.mesh.with_vertices(own @ around.mesh.vertices))
        # A border that was trimmed may leave tongues, and without them it is to be seen whole again.
        whole = sp.identity(len(face.rim), format="csr")
        for step in (lambda m: trimmed(m, towards), opened, lambda m: trimmed(m, towards)):
            mesh, weights = step(face.mesh)
            face, whole = face.clipped(mesh, weights), (weights @ whole).tocsr()
        gone = np.bincount(whole.indices, minlength=whole.shape[1]) == 0
        return (Outer(face, around, tissue), sheet), gone

    def _mended(self, wide: OuterSurface) -> Mesh:
        """The outer face lifted off the skin, its folds drawn smooth; where they were is known the next time."""
        skin, known = wide.mesh.vertices, None
        if self._smooth is not None:
            known = np.isfinite(cKDTree(self._smooth).query(skin, distance_upper_bound=1e-6)[0])
        mesh, moved = remove_self_intersections(outer_face(wide, self._thickness), known=known)
        self._smooth = skin[moved] if moved.any() else None
        return mesh


def rough_outer(near: Neighbourhood, thickness: Thickness, *, towards: Floats) -> OuterSurface:
    """The outer face as it is while there is no axis yet: lifted off the skin, and not mended.

    towards : (3,) float, where the defect looks
    """
    sheet = plain_sheet(margin_around(near, towards=towards))
    return replace(sheet, mesh=outer_face(sheet, thickness))


def outer_face(sheet: OuterSurface, thickness: Thickness) -> Mesh:
    """The sheet lifted off the skin as far as the thickness over skin needs."""
    normals = smoothed_normals(sheet.mesh.vertices, sheet.mesh.faces, passes=3)
    return sheet.mesh.with_vertices(sheet.mesh.vertices + thickness.lift(sheet.rim, sheet.inward)[:, None] * normals)
