"""The margin: the band of healthy skin around a defect on which a part ends, and the smooth border where it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.errors import ScanError
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Mesh, boundary_loops, face_areas, face_components
from facecom.prosthesis.defect.neighbourhood import Neighbourhood, interface_vertices
from facecom.prosthesis.shell.cavity import Cavity, cavity_faces, visible_faces
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.solid.clipping import (
    clip_faces,
    fill_inner_holes,
    largest_component,
    outer_boundary_loop,
    split_at_level,
)

KEPT_PATCH = 0.9
"""Rounding the border must keep this share of the patch; else the radius is halved."""
MIN_RADIUS_MM = 0.1
"""Radii below this round nothing; the search for one ends there."""
OPENING_REACH_MM = 2.0
"""By how much farther than a diameter distances of an opening are known."""
FAR_MM = 1e3
"""Stands for distances beyond that reach."""
BORDER_TOLERANCE_MM = 0.05
"""A vertex of the border counts as lying at the full width within this distance."""
FULL_WIDTH = 0.98
"""The margin is short where it is narrower than this share of its width."""
MOST_SHORT = 0.02
"""Share of the border along which the margin may be short, other than where the skin turns out of sight."""


@dataclass(frozen=True, eq=False)
class Margin:
    """The patch of a defect with healthy skin around it: a disc that does not follow skin that turns out of sight.

    Parameters
    ----------
    mesh : Mesh, mm
    defect_distance : (V,) float, mm, signed geodesic distance from the defect's edge, positive within the defect
    weights : (V, M) sparse, each vertex as a weighted mean of vertices of the merged mesh
    margin_mm : the width that a part asks for
    extra_mm : by how much this band is wider where there is skin
    """

    mesh: Mesh
    defect_distance: Floats
    weights: sp.csr_matrix
    margin_mm: float
    extra_mm: float


def cut_margin(near: Neighbourhood, *, towards: Floats) -> Margin:
    """Cut the margin of a defect as it is visible from a direction; small openings in it are closed.

    It ends where the skin ends or turns out of sight: into a mouth, a nostril, under a lid.

    Parameters
    ----------
    near : Neighbourhood
    towards : (3,) float, the direction, any length

    Raises
    ------
    ScanError
        When the margin leaves the skin: the defect lies at the scan's border, or the margin is larger than the face.
    """
    margin_mm = near.margin_mm
    cavity = Cavity.of(near, towards)
    visible = visible_faces(near.mesh, near.in_defect, towards) & (near.in_defect | ~cavity.unusable)
    hidden = _vertices_of(near.mesh, ~visible)
    mesh, used = near.mesh.submesh(visible)
    in_defect, hidden = near.in_defect[visible], hidden[used]
    distance = _signed_distance(mesh, in_defect, near.reach_mm)
    dropped = cavity_faces(mesh, distance, in_defect, cavity=cavity.at(visible), margin_mm=margin_mm)
    hidden |= _vertices_of(mesh, dropped)
    rest, left = mesh.submesh(~dropped)
    part, kept = fill_inner_holes(*largest_component(*clip_faces(rest, -distance[left], margin_mm + near.extra_mm)))
    weights = (kept @ near.weights[used][left]).tocsr()
    margin = Margin(part, kept @ distance[left], weights, margin_mm, near.extra_mm)
    narrow, own = largest_component(*clip_faces(part, -margin.defect_distance, margin_mm))
    excused = own @ (kept @ hidden[left].astype(float)) > 0
    _check_border(narrow, own @ margin.defect_distance, excused, margin_mm)
    return margin


def _vertices_of(mesh: Mesh, faces: Bools) -> Bools:
    """Corners of some faces, (V,)."""
    out = np.zeros(len(mesh.vertices), bool)
    out[mesh.faces[faces].ravel()] = True
    return out


def _signed_distance(mesh: Mesh, inside: Bools, reach_mm: float) -> Floats:
    """Geodesic distance from where some faces, (F,) bool, end, positive on them; at most twice the reach, (V,) mm."""
    edge = np.flatnonzero(interface_vertices(mesh, inside))
    distance = np.minimum(geodesic_distance(mesh, edge, reach_mm=reach_mm), 2.0 * reach_mm)
    return np.where(_vertices_of(mesh, inside), distance, -distance)


def raw_border_surface(margin: Margin) -> OuterSurface:
    """The margin as wide as a part asks for, its border as it comes."""
    narrow, own = fill_inner_holes(
        *largest_component(*clip_faces(margin.mesh, -margin.defect_distance, margin.margin_mm))
    )
    distance = own @ margin.defect_distance
    return OuterSurface(narrow, distance, distance + margin.margin_mm, (own @ margin.weights).tocsr())


def smooth_border_surface(
    margin: Margin,
    excluded: Bools | None = None,
    *,
    setback_mm: float = 0.4,
    radius_mm: float = 2.0,
    reach_mm: float = 25.0,
) -> tuple[OuterSurface, OuterSurface, sp.csr_matrix]:
    """The outer surface within a smooth border, and all of the margin with the same border drawn on it.

    Where the margin is as wide as can be, the border runs one margin width away from the defect, with bays filled;
    where it ends before that, at a mouth, a lid, a nostril or the scan's end, the border keeps a distance from there.
    Corners are rounded by a morphological opening with distances along the surface.

    Parameters
    ----------
    margin : Margin
    excluded : (V,) bool, vertices of the margin that the surface must not reach
    setback_mm : distance to where the margin ends before its full width
    radius_mm : least radius of the border's outward bends; halved as often as a piece of the patch would be lost
    reach_mm : distances from the border are known as far as that

    Returns
    -------
    surface : OuterSurface
    extended : OuterSurface, all of the margin
    weights : sparse, each vertex of the first as a weighted mean of vertices of the second

    Raises
    ------
    ScanError
        When nothing is left.
    """
    room = _room(margin, excluded, setback_mm)
    fine, weights, inside = _rounded(margin, room, radius_mm)
    if not inside.any():
        raise ScanError(
            "the missing part is too narrow between places where the skin turns out of sight; choose another axis"
        )
    line = np.flatnonzero(interface_vertices(fine, inside))
    away = np.minimum(geodesic_distance(fine, line, reach_mm=reach_mm), reach_mm)
    border_distance = np.where(_vertices_of(fine, inside), away, -away)
    extended = OuterSurface(fine, weights @ margin.defect_distance, border_distance, (weights @ margin.weights).tocsr())
    part, used = fine.submesh(inside)
    mesh, own = fill_inner_holes(part, sp.identity(len(away), format="csr")[used])
    return extended.resampled(mesh, own), extended, own


def _room(margin: Margin, excluded: Bools | None, setback_mm: float, *, reach_mm: float = 10.0) -> Floats:
    """Distance of each vertex from where the margin ends, less what is kept from there, (V,), mm.

    reach_mm : distances are known as far as that, which is farther than a border is rounded
    """
    loop = outer_boundary_loop(margin.mesh)
    wide = margin.defect_distance[loop] < BORDER_TOLERANCE_MM - margin.margin_mm - margin.extra_mm
    ends = np.zeros(len(margin.defect_distance), bool) if excluded is None else excluded.copy()
    ends[loop[~wide]] = True
    room = np.full(len(margin.defect_distance), reach_mm)
    for sources, kept in ((loop[wide], margin.extra_mm), (np.flatnonzero(ends), setback_mm)):
        if len(sources):
            away = geodesic_distance(margin.mesh, sources, reach_mm=reach_mm)
            room = np.minimum(room, np.minimum(away, reach_mm) - kept)
    return room


def _rounded(margin: Margin, room: Floats, radius_mm: float) -> tuple[Mesh, sp.csr_matrix, Bools]:
    """The opening, as `_opening` gives it, of the largest radius that keeps the patch."""
    while True:
        fine, weights, inside = _opening(margin.mesh, room, radius_mm)
        area = _patch_area(fine, weights @ margin.defect_distance, inside)
        if radius_mm < MIN_RADIUS_MM or area > KEPT_PATCH * _patch_area(
            margin.mesh, margin.defect_distance, room[margin.mesh.faces].max(1) > 0
        ):
            return fine, weights, inside
        radius_mm *= 0.5


def _opening(mesh: Mesh, room: Floats, radius_mm: float) -> tuple[Mesh, sp.csr_matrix, Bools]:
    """The mesh cut along the border of the area that a disc of some radius covers without leaving the room.

    Returns
    -------
    mesh : Mesh
    weights : (V', V) sparse, its vertices as means of old ones
    inside : (F',) bool, faces within the border: one component
    """
    cut, first, eroded = split_at_level(mesh, -room, -radius_mm)
    if not eroded.any():
        return mesh, sp.identity(len(mesh.vertices), format="csr"), np.zeros(len(mesh.faces), bool)
    away = geodesic_distance(cut, np.unique(cut.faces[eroded]), reach_mm=2.0 * radius_mm + OPENING_REACH_MM)
    fine, second, inside = split_at_level(cut, np.minimum(away, FAR_MM), radius_mm)
    label = face_components(fine.faces[inside])
    best = int(np.argmax(np.bincount(label, face_areas(Mesh(fine.vertices, fine.faces[inside])))))
    inside[np.flatnonzero(inside)[label != best]] = False
    return fine, (second @ first).tocsr(), inside


def _patch_area(mesh: Mesh, defect_distance: Floats, inside: Bools) -> float:
    """Area of the patch among some faces, mm2."""
    in_patch = inside & (defect_distance[mesh.faces] > 1e-9).any(1)
    return float(face_areas(Mesh(mesh.vertices, mesh.faces[in_patch])).sum()) if in_patch.any() else 0.0


def _check_border(mesh: Mesh, defect_distance: Floats, excused: Bools, width_mm: float) -> None:
    """The outer border must lie at the margin's width, not on the scan's border.

    excused : (V,) bool, where the skin turns out of sight and the margin may end before its width
    """
    if not len(boundary_loops(mesh.faces)):
        raise ScanError("the missing part has no border; the scan must show skin around it")
    outer = outer_boundary_loop(mesh)
    too_near = defect_distance[outer] > -FULL_WIDTH * width_mm + BORDER_TOLERANCE_MM
    short = float((too_near & ~excused[outer]).mean())
    if short > MOST_SHORT:
        raise ScanError(
            f"a margin of {width_mm:g} mm leaves the skin along {short:.0%} of its length: the defect lies too close "
            "to the scan's own border, or the margin is larger than the face; scan wider or choose a smaller margin"
        )
