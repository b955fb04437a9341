"""The band of healthy skin around a defect on which a part ends, and the smooth line where it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Mesh,
    boundary_loops,
    face_areas,
    face_components,
    face_normals,
    unit,
    vertex_normals,
)
from facecom.prosthesis.defect.neighbourhood import Neighbourhood, seam
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.solid.clipping import clip_faces, closed_inside, divided, largest_piece, outer_loop


@dataclass(frozen=True, eq=False)
class Margin:
    """A defect's made skin with a band of healthy skin around it, a disc that follows no skin that turns out of sight.

    mesh : Mesh, mm
    inward : (V,) float, mm, geodesic distance from the defect's edge: positive within it, negative on the skin
    weights : (V, M) sparse, each vertex as a mean of vertices of the merged mesh
    margin_mm, beyond_mm : the width that a part asks for, and by how much the band is wider where there is skin
    """

    mesh: Mesh
    inward: Floats
    weights: sp.csr_matrix
    margin_mm: float
    beyond_mm: float


def margin_around(near: Neighbourhood, *, towards: Floats) -> Margin:
    """The band around a defect as it is seen along `towards`; small openings in it are closed.

    It ends where the skin ends or turns out of sight: into a mouth, a nostril, under a lid.

    Raises
    ------
    ScanError
        When the margin leaves the skin: the defect lies at the scan's border, or the margin is larger than the face.
    """
    margin, far = near.margin_mm, near.reach_mm
    hollow = Cavity.of(near, towards)
    seen = seen_faces(near.mesh, near.within, towards) & (near.within | ~hollow.closed)
    turned_away = np.zeros(len(near.mesh.vertices), bool)
    turned_away[near.mesh.faces[~seen].ravel()] = True
    mesh, used = near.mesh.submesh(seen)
    within, hollow, finer, turned_away = near.within[seen], hollow.at(seen), near.weights[used], turned_away[used]
    inside = np.zeros(len(mesh.vertices), bool)
    inside[mesh.faces[within].ravel()] = True
    distance = np.minimum(geodesic_distance(mesh, np.flatnonzero(seam(mesh, within)), reach_mm=far), 2.0 * far)
    inward = np.where(inside, distance, -distance)
    left_out = _left_out(mesh, inward, within, hollow, margin)
    turned_away[mesh.faces[left_out].ravel()] = True
    rest, left = mesh.submesh(~left_out)
    part, first = largest_piece(*clip_faces(rest, -inward[left], margin + near.beyond_mm))
    part, first = closed_inside(part, first)
    inward, finer, turned_away = inward[left], finer[left], turned_away[left]
    band = Margin(part, first @ inward, (first @ finer).tocsr(), margin, near.beyond_mm)
    narrow, own = largest_piece(*clip_faces(part, -band.inward, margin))
    _check_border(narrow, own @ band.inward, own @ (first @ turned_away.astype(float)) > 0, margin)
    return band


def plain_sheet(band: Margin) -> OuterSurface:
    """The band as wide as a part asks for, its border as it comes."""
    narrow, own = closed_inside(*largest_piece(*clip_faces(band.mesh, -band.inward, band.margin_mm)))
    inward = own @ band.inward
    return OuterSurface(narrow, inward, inward + band.margin_mm, (own @ band.weights).tocsr())


def drawn_sheet(
    band: Margin, lost: Bools | None = None, *, setback_mm: float = 0.4, round_mm: float = 2.0, deep_mm: float = 25.0
) -> tuple[OuterSurface, OuterSurface, sp.csr_matrix]:
    """The sheet within a smooth border, and the whole band with the same border drawn on it.

    Where the band is as wide as can be, the border runs one margin away from the defect, with bays filled; where the
    band ends before that, at a mouth, a lid, a nostril or the scan's end, it keeps a distance from there. Corners are
    rounded by an opening in the sense of morphology, with distances along the surface.

    Parameters
    ----------
    lost : (V,) bool, vertices of the band that the sheet must not reach
    setback_mm : distance to where the band ends before its width
    round_mm : least radius of the border's outward bends; it is halved as often as a piece of the defect would be lost
    deep_mm : distances from the border are known as far as that

    Returns
    -------
    the sheet, the band, and each vertex of the first as a mean of vertices of the second, sparse

    Raises
    ------
    ScanError
        When nothing is left.
    """
    room = _room(band, lost, setback_mm)
    while True:
        fine, weights, within = _opened(band.mesh, room, round_mm)
        own_area = _made_area(fine, weights @ band.inward, within)
        if round_mm < 0.1 or own_area > 0.9 * _made_area(band.mesh, band.inward, room[band.mesh.faces].max(1) > 0):
            break
        round_mm *= 0.5
    if not within.any():
        raise ScanError(
            "the missing part is too narrow between places where the skin turns out of sight; choose another axis"
        )
    line = np.flatnonzero(seam(fine, within))
    away = np.minimum(geodesic_distance(fine, line, reach_mm=deep_mm), deep_mm)
    inside = np.zeros(len(away), bool)
    inside[fine.faces[within].ravel()] = True
    whole = OuterSurface(fine, weights @ band.inward, np.where(inside, away, -away), (weights @ band.weights).tocsr())
    part, used = fine.submesh(within)
    mesh, own = closed_inside(part, sp.identity(len(away), format="csr")[used])
    return whole.clipped(mesh, own), whole, own


def _room(band: Margin, lost: Bools | None, setback_mm: float, *, reach_mm: float = 10.0) -> Floats:
    """How far each vertex may be within the part, (V,), mm: distance from where the band ends, less what is kept.

    reach_mm : distances are known as far as that, which is farther than a border is rounded
    """
    loop = outer_loop(band.mesh)
    wide = band.inward[loop] < 0.05 - band.margin_mm - band.beyond_mm
    ends = np.zeros(len(band.inward), bool) if lost is None else lost.copy()
    ends[loop[~wide]] = True
    room = np.full(len(band.inward), reach_mm)
    for sources, kept in ((loop[wide], band.beyond_mm), (np.flatnonzero(ends), setback_mm)):
        if len(sources):
            away = geodesic_distance(band.mesh, sources, reach_mm=reach_mm)
            room = np.minimum(room, np.minimum(away, reach_mm) - kept)
    return room


def _opened(mesh: Mesh, room: Floats, round_mm: float) -> tuple[Mesh, sp.csr_matrix, Bools]:
    """The mesh cut along the border of what a disc of some radius reaches that stays where there is room for it.

    Returns
    -------
    the mesh, its vertices as means of old ones, and which faces lie within: one piece
    """
    cut, first, deep = divided(mesh, -room, -round_mm)
    if not deep.any():
        return mesh, sp.identity(len(mesh.vertices), format="csr"), np.zeros(len(mesh.faces), bool)
    away = geodesic_distance(cut, np.unique(cut.faces[deep]), reach_mm=2.0 * round_mm + 2.0)
    fine, second, within = divided(cut, np.minimum(away, 1e3), round_mm)
    label = face_components(fine.faces[within])
    best = int(np.argmax(np.bincount(label, face_areas(Mesh(fine.vertices, fine.faces[within])))))
    within[np.flatnonzero(within)[label != best]] = False
    return fine, (second @ first).tocsr(), within


def _made_area(mesh: Mesh, inward: Floats, within: Bools) -> float:
    """Area of what was made among some faces, mm2."""
    made = within & (inward[mesh.faces] > 1e-9).any(1)
    return float(face_areas(Mesh(mesh.vertices, mesh.faces[made])).sum()) if made.any() else 0.0


def seen_faces(mesh: Mesh, within: Bools, direction: Floats, *, lean_deg: float = 90.0) -> Bools:
    """Faces that can be seen from a direction, (F,): no skin lies before them, and skin does not turn away.

    Parameters
    ----------
    within : (F,) bool, faces of the defect; they hide nothing and may turn as they like
    direction : (3,) float, any length
    lean_deg : skin turned farther from the direction than this has turned away
    """
    skin, _ = mesh.submesh(~within)
    normals, towards = vertex_normals(mesh.vertices, mesh.faces), unit(np.asarray(direction, float))
    start = mesh.vertices + 0.05 * normals
    blocked = np.isfinite(Surface(skin).cast(start, np.broadcast_to(towards, start.shape)).depth)
    away = normals @ towards < np.cos(np.radians(lean_deg))
    away[mesh.faces[within].ravel()] = False
    return np.asarray(~(blocked | away)[mesh.faces].all(1))


@dataclass(frozen=True, eq=False)
class Cavity:
    """Faces in cavities and clefts that a scan shows from within, such as a mouth, (F,) bool each.

    lining : they cannot be seen from a direction and look at other faces not far away
    closed : they are no skin to lie on: within the head, deep in a cavity, or so near to other skin that a part has no
        room between
    hidden : something lies before them
    """

    lining: Bools
    closed: Bools
    hidden: Bools

    @classmethod
    def of(
        cls, near: Neighbourhood, direction: Floats, *, across: float = 25.0, deep: float = 12.0, cleft: float = 1.6
    ) -> Cavity:
        """Look for them in a neighbourhood; none where its surface has no cavities.

        Parameters
        ----------
        direction : (3,) float, any length
        across : mm, most distance to the other side of a cavity
        deep : mm, least distance along the direction to what hides faces that are deep in a cavity
        cleft : mm, least width of a cleft
        """
        mesh = near.mesh
        if near.whole is None:
            return cls(*np.zeros((3, len(mesh.faces)), bool))
        normals, surface = vertex_normals(mesh.vertices, mesh.faces), Surface(near.whole)
        towards = unit(np.asarray(direction, float))
        start = mesh.vertices + 0.05 * normals
        cover = surface.cast(start, np.broadcast_to(towards, start.shape))
        room = surface.cast(start, normals).depth
        hidden, inner = cover.faces >= 0, room < across
        # What is hidden by the back of a surface lies within the head.
        within = hidden & (face_normals(near.whole)[cover.faces] @ towards > 0)
        lining = inner & (hidden | (normals @ towards < 0))
        closed = within | (inner & hidden & (cover.depth > deep)) | (room < cleft)
        every = [np.asarray(mask[mesh.faces].all(1)) for mask in (lining, hidden)]
        return cls(every[0], np.asarray(closed[mesh.faces].any(1)), every[1])

    def at(self, faces: Bools) -> Cavity:
        """Of some faces."""
        return Cavity(self.lining[faces], self.closed[faces], self.hidden[faces])


def _left_out(mesh: Mesh, inward: Floats, within: Bools, hollow: Cavity, margin_mm: float) -> Bools:
    """Faces that no part should follow into a cavity, (F,).

    What lines a deep cavity, such as a socket behind lids. What was made and lines one through which the band's border
    runs, such as a mouth; a shallow one with the band all around it, such as a nostril of a nose, stays. And skin that
    meets the band nowhere but at what was made, and is hidden: the inside of a head behind a hole.
    """
    out = np.zeros(len(within), bool)
    if not hollow.hidden.any():
        return out
    lining = hollow.lining & within
    rest, used = mesh.submesh(~lining)
    narrow, weights = largest_piece(*clip_faces(rest, -inward[used], margin_mm))
    outer = outer_loop(narrow)
    reached = np.zeros(len(mesh.vertices), bool)
    reached[used[weights[outer].indices]] = True
    for faces, at_border in ((lining, True), (~within, False)):
        if not faces.any():
            continue
        label = face_components(mesh.faces[faces])
        dropped = (np.bincount(label, reached[mesh.faces[faces]].any(1)) > 0) == at_border
        if not at_border:
            dropped &= np.bincount(label, hollow.hidden[faces]) > 0.5 * np.bincount(label)
        out[faces] = dropped[label]
    return out | _deep(mesh, hollow.lining)


def _deep(mesh: Mesh, lining: Bools, *, deep_mm: float = 5.0) -> Bools:
    """Faces of linings of which some lie farther than a length, along the surface, from where they open, (F,)."""
    out = np.zeros(len(lining), bool)
    if not lining.any():
        return out
    part, used = mesh.submesh(lining)
    opening, near = np.flatnonzero(seam(mesh, lining)[used]), np.zeros(len(used), bool)
    if len(opening):
        near = np.isfinite(geodesic_distance(part, opening, reach_mm=deep_mm))
    label = face_components(part.faces)
    out[lining] = (np.bincount(label, ~near[part.faces].all(1)) > 0)[label]
    return out


def _check_border(mesh: Mesh, inward: Floats, excused: Bools, width_mm: float) -> None:
    """The outer border must lie at the band's width, not on the scan's border.

    excused : (V,) bool, where the skin turns out of sight and the band ends before its width
    """
    if not len(boundary_loops(mesh.faces)):
        raise ScanError("the missing part has no border; the scan must show skin around it")
    outer = outer_loop(mesh)
    short = float(((inward[outer] > -0.98 * width_mm + 0.05) & ~excused[outer]).mean())
    if short > 0.02:
        raise ScanError(
            f"a margin of {width_mm:g} mm leaves the skin along {short:.0%} of its length: the defect lies too close "
            "to the scan's own border, or the margin is larger than the face; scan wider or choose a smaller margin"
        )
