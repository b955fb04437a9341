"""Which skin around a defect can be seen from outside, and which lies in a mouth, a nostril, a socket or a cleft."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Mesh, face_components, face_normals, unit, vertex_normals
from facecom.prosthesis.defect.neighbourhood import Neighbourhood, interface_vertices
from facecom.prosthesis.solid.clipping import clip_faces, largest_component, outer_boundary_loop

OFF_SURFACE_MM = 0.05
"""Rays start this far off the skin, so that they do not hit the face they start from."""


def visible_faces(mesh: Mesh, in_defect: Bools, direction: Floats, *, max_lean_deg: float = 90.0) -> Bools:
    """Faces that are visible from a direction, (F,): no skin lies before them, and skin does not turn away.

    Parameters
    ----------
    mesh : Mesh, mm
    in_defect : (F,) bool, faces of the defect; they hide nothing and may face anywhere
    direction : (3,) float, any length
    max_lean_deg : skin that leans farther from the direction than this has turned away
    """
    skin, _ = mesh.submesh(~in_defect)
    normals, towards = vertex_normals(mesh.vertices, mesh.faces), unit(np.asarray(direction, float))
    start = mesh.vertices + OFF_SURFACE_MM * normals
    blocked = np.isfinite(Surface(skin).cast(start, np.broadcast_to(towards, start.shape)).depth)
    away = normals @ towards < np.cos(np.radians(max_lean_deg))
    away[mesh.faces[in_defect].ravel()] = False
    return np.asarray(~(blocked | away)[mesh.faces].all(1))


@dataclass(frozen=True, eq=False)
class Cavity:
    """Faces in cavities and clefts that a scan shows from within, such as a mouth, (F,) bool each.

    Parameters
    ----------
    lining : faces that are not visible from a direction and look at other faces not far away
    unusable : no skin to lie on: within the head, deep in a cavity, or so near to other skin that a part has no room
    hidden : something lies before them
    """

    lining: Bools
    unusable: Bools
    hidden: Bools

    @classmethod
    def of(
        cls,
        near: Neighbourhood,
        direction: Floats,
        *,
        across_mm: float = 25.0,
        deep_mm: float = 12.0,
        cleft_mm: float = 1.6,
    ) -> Cavity:
        """Look for cavities in a neighbourhood; there are none where its surface cannot show any.

        Parameters
        ----------
        near : Neighbourhood
        direction : (3,) float, any length
        across_mm : greatest distance to the other side of a cavity
        deep_mm : a face is deep in a cavity when what hides it lies farther along the direction than this
        cleft_mm : least width of a cleft that a part has room in
        """
        mesh = near.mesh
        if near.cavity_surface is None:
            return cls(*np.zeros((3, len(mesh.faces)), bool))
        normals, surface = vertex_normals(mesh.vertices, mesh.faces), Surface(near.cavity_surface)
        towards = unit(np.asarray(direction, float))
        start = mesh.vertices + OFF_SURFACE_MM * normals
        cover = surface.cast(start, np.broadcast_to(towards, start.shape))
        width = surface.cast(start, normals).depth
        hidden, opposed = cover.faces >= 0, width < across_mm
        # What is hidden by the back of a surface lies within the head.
        in_head = hidden & (face_normals(near.cavity_surface)[cover.faces] @ towards > 0)
        lining = opposed & (hidden | (normals @ towards < 0))
        unusable = in_head | (opposed & hidden & (cover.depth > deep_mm)) | (width < cleft_mm)
        lining_faces, hidden_faces = (np.asarray(mask[mesh.faces].all(1)) for mask in (lining, hidden))
        return cls(lining_faces, np.asarray(unusable[mesh.faces].any(1)), hidden_faces)

    def at(self, faces: Bools) -> Cavity:
        """The same for some faces alone."""
        return Cavity(self.lining[faces], self.unusable[faces], self.hidden[faces])


def cavity_faces(mesh: Mesh, defect_distance: Floats, in_defect: Bools, *, cavity: Cavity, margin_mm: float) -> Bools:
    """Faces that no part should follow into a cavity, (F,).

    The lining of a deep cavity, such as a socket behind lids. The patch where it lines a cavity through which the
    margin's border runs, such as a mouth; a shallow one inside the margin, such as a nostril, stays. And skin that the
    margin reaches through the patch alone and that is hidden: the inside of a head behind a hole.

    Parameters
    ----------
    mesh : Mesh, mm, the visible neighbourhood of a defect
    defect_distance : (V,) float, mm, see `OuterSurface`
    in_defect : (F,) bool
    cavity : Cavity, of these faces
    margin_mm : width of the margin
    """
    out = np.zeros(len(in_defect), bool)
    if not cavity.hidden.any():
        return out
    lining = cavity.lining & in_defect
    reached = _border_of_rest(mesh, defect_distance, lining, margin_mm)
    for faces, at_border in ((lining, True), (~in_defect, False)):
        if not faces.any():
            continue
        label = face_components(mesh.faces[faces])
        dropped = (np.bincount(label, reached[mesh.faces[faces]].any(1)) > 0) == at_border
        if not at_border:
            dropped &= np.bincount(label, cavity.hidden[faces]) > 0.5 * np.bincount(label)
        out[faces] = dropped[label]
    return out | _deep_lining(mesh, cavity.lining)


def _border_of_rest(mesh: Mesh, defect_distance: Floats, lining: Bools, margin_mm: float) -> Bools:
    """Vertices on the margin's outer border where it is cut without some faces, (V,)."""
    rest, used = mesh.submesh(~lining)
    narrow, weights = largest_component(*clip_faces(rest, -defect_distance[used], margin_mm))
    reached = np.zeros(len(mesh.vertices), bool)
    reached[used[weights[outer_boundary_loop(narrow)].indices]] = True
    return reached


def _deep_lining(mesh: Mesh, lining: Bools, *, deep_mm: float = 5.0) -> Bools:
    """Faces of linings that somewhere reach farther than a length, along the surface, from their opening, (F,)."""
    out = np.zeros(len(lining), bool)
    if not lining.any():
        return out
    part, used = mesh.submesh(lining)
    opening, near = np.flatnonzero(interface_vertices(mesh, lining)[used]), np.zeros(len(used), bool)
    if len(opening):
        near = np.isfinite(geodesic_distance(part, opening, reach_mm=deep_mm))
    label = face_components(part.faces)
    out[lining] = (np.bincount(label, ~near[part.faces].all(1)) > 0)[label]
    return out
