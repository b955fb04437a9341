"""The outer face of a part: cut out of the completed skin, lifted off it, without self-intersections."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Bools, Floats, Mesh, unit
from facecom.prosthesis.defect.neighbourhood import Neighbourhood
from facecom.prosthesis.shell.border import remove_tongues, trim_hidden_border
from facecom.prosthesis.shell.margin import cut_margin, raw_border_surface, smooth_border_surface
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import Thickness
from facecom.prosthesis.shell.tissue import raise_above_tissue, tissue_mesh

LIFT_NORMAL_ROUNDS = 3
"""Smoothing of the normals along which the outer face is lifted off the skin."""
SAME_PLACE_MM = 1e-6
"""Vertices of two meshes cut out of one surface are the same when they lie so near to each other."""


@dataclass(frozen=True, eq=False)
class ShellSurfaces:
    """The surfaces that a part is built between; face frame, mm.

    Parameters
    ----------
    outer : OuterSurface, the outer face as it is worn
    extended : OuterSurface, the same surface reaching farther over the skin
    tissue : Mesh, what the part must not enter
    """

    outer: OuterSurface
    extended: OuterSurface
    tissue: Mesh


class MarginOutline:
    """Where the part ends on the skin, and the outer face within; it can be redrawn where the part cannot end so.

    Parameters
    ----------
    near : Neighbourhood of the defect
    skin : (M, 3) float, mm, vertices of the merged mesh
    thickness : Thickness
    bed : Mesh or None, the wound bed, above which the part fills the room
    clearance_mm : distance to be kept from it
    towards : (3,) float, the withdrawal axis
    redraws : after so many the outline stays as it is when some of it is trimmed away
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
        self._margin = cut_margin(near, towards=towards)
        self._excluded = np.zeros(len(self._margin.defect_distance), bool)
        self._redraws_left = redraws
        self._smoothed: Floats | None = None

    def surfaces(self) -> ShellSurfaces:
        """Cut the outer face out of the skin, lift it off, and remove its self-intersections."""
        while True:
            surfaces, trimmed_at = self._cut_and_lift()
            if not len(trimmed_at) or not self._redraws_left:
                return surfaces
            self._exclude(trimmed_at)

    def redrawn_without(self, outer: OuterSurface, lost: Bools) -> ShellSurfaces | None:
        """The surfaces with the outline around some vertices of an outer face; None where it was redrawn too often."""
        if not self._redraws_left:
            return None
        self._exclude(outer.weights[lost] @ self._skin)
        return self.surfaces()

    def _exclude(self, points: Floats, *, reach_mm: float = 0.8) -> None:
        """Leave out what lies at some points of the skin."""
        vertices = self._margin.mesh.vertices
        away, nearest = cKDTree(vertices).query(points)
        self._excluded[nearest[away < 2.0 * reach_mm]] = True
        self._excluded |= cKDTree(points).query(vertices, distance_upper_bound=reach_mm)[0] < reach_mm
        self._redraws_left -= 1

    def _cut_and_lift(self) -> tuple[ShellSurfaces, Floats]:
        """The surfaces, and places on the skin, (N, 3), where the outer face was trimmed."""
        skin, extended_skin, own = smooth_border_surface(self._margin, self._excluded)
        tissue = tissue_mesh(extended_skin, self._bed, self._clearance)
        lifted = replace(extended_skin, mesh=self._lifted(extended_skin))
        raised = raise_above_tissue(lifted, tissue, unit(self._towards), thickness=self._thickness)
        moved = (raised.vertices != lifted.mesh.vertices).any(1)
        extended = replace(lifted, mesh=remove_self_intersections(raised, moved=moved)[0])
        outer = replace(skin, mesh=skin.mesh.with_vertices(own @ extended.mesh.vertices))
        outer, trimmed = self._trimmed(outer)
        return ShellSurfaces(outer, extended, tissue), skin.mesh.vertices[trimmed]

    def _trimmed(self, outer: OuterSurface) -> tuple[OuterSurface, Bools]:
        """The outer face with a border that is visible along the axis, and which of its vertices that took away."""
        trim = functools.partial(trim_hidden_border, axis=self._towards)
        # A trimmed border may have tongues, and without them it must be visible again.
        kept = sp.identity(len(outer.border_distance), format="csr")
        for step in (trim, remove_tongues, trim):
            mesh, weights = step(outer.mesh)
            outer, kept = outer.resampled(mesh, weights), (weights @ kept).tocsr()
        return outer, np.bincount(kept.indices, minlength=kept.shape[1]) == 0

    def _lifted(self, skin: OuterSurface) -> Mesh:
        """The skin lifted off without self-intersections; where there were some is remembered for the next time."""
        vertices, known = skin.mesh.vertices, None
        if self._smoothed is not None:
            known = np.isfinite(cKDTree(self._smoothed).query(vertices, distance_upper_bound=SAME_PLACE_MM)[0])
        mesh, moved = remove_self_intersections(lift_off_skin(skin, self._thickness), known=known)
        self._smoothed = vertices[moved] if moved.any() else None
        return mesh


def initial_outer_surface(near: Neighbourhood, thickness: Thickness, *, towards: Floats) -> OuterSurface:
    """The outer face while there is no axis yet: lifted off the skin, its border and self-intersections as they come.

    towards : (3,) float, outward normal of the defect
    """
    skin = raw_border_surface(cut_margin(near, towards=towards))
    return replace(skin, mesh=lift_off_skin(skin, thickness))


def lift_off_skin(skin: OuterSurface, thickness: Thickness) -> Mesh:
    """The mesh of a surface lifted off the skin as far as the thickness over skin needs."""
    lift = thickness.lift(skin.border_distance, skin.defect_distance)
    normals = smoothed_normals(skin.mesh.vertices, skin.mesh.faces, passes=LIFT_NORMAL_ROUNDS)
    return skin.mesh.with_vertices(skin.mesh.vertices + lift[:, None] * normals)
