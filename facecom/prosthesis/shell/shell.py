"""The part itself: outer face the completed skin, inner face a wall behind it, on the wound or on the skin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, grow_rings, unique_edges
from facecom.prosthesis.shell.border import opened, trimmed
from facecom.prosthesis.shell.inner import ExtendedSurface, inner_solid
from facecom.prosthesis.shell.outer import MarginOutline, Outer
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.relief import Relief
from facecom.prosthesis.shell.thickness import Thickness, slack
from facecom.prosthesis.shell.tissue import bed_solid, ground_under, room_over
from facecom.prosthesis.solid.booleans import below, to_mesh, to_solid
from facecom.prosthesis.solid.clipping import closed_inside, largest_piece

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Shell:
    """A part in its axis frame (z is the axis), mm.

    solid, block, tissue : manifold3d solids: the part, all that is under its outer face, and what it must not enter
    outer : Sheet, the outer face with its border
    thickness : (V,) mm, what was asked for at each vertex of `outer`
    relief_rms_mm : of the skin relief on the outer face, NaN where there is none
    warnings : tuple of str
    """

    solid: Any
    block: Any
    tissue: Any
    outer: OuterSurface
    thickness: Floats
    floor: float
    relief_rms_mm: float
    warnings: tuple[str, ...]


def build_shell(
    outer: OuterSurface,
    around: OuterSurface,
    tissue: Mesh,
    *,
    thickness: Thickness,
    turn: Floats,
    grid_mm: float,
    bed: Mesh | None = None,
    relief: Relief | None = None,
    drawing: MarginOutline | None = None,
    attempts: int = 4,
) -> Shell:
    """Build the part behind an outer face.

    Where the part would be too thin or cross itself, as in folds at the corner of a mouth or of lids, the outer face
    is drawn taut over the fold, or the border taken back where that is near, and the part is built again.

    Parameters
    ----------
    outer, around : Sheet, face frame, mm: the outer face, and the same surface reaching farther over the skin
    tissue : Mesh, face frame, what the part must not enter
    bed : Mesh or None, the part of the tissue that the part fills the room above, face frame
    thickness : Thickness
    turn : (3, 3) rotation, face frame -> axis frame
    grid_mm : cell of the grid on which the inner face is found; it is exact to about a hundredth of that
    relief : Relief or None, laid on the outer face of the sound part, as much of it as leaves the part sound
    drawing : Drawing or None, which draws the border anew where it must be taken back; else some faces are left out
    attempts : after so many what is not sound is left as it is

    Raises
    ------
    ValueError
        When the border crosses itself along the axis, or nothing of the part is left.
    """
    moved = lambda m: m.with_vertices(m.vertices @ turn.T)  # noqa: E731
    shown, beyond, ground = moved(outer.mesh), moved(around.mesh), moved(tissue)
    wanted = thickness.at(around.rim) + slack(grid_mm)
    if bed is not None and len(bed.faces):
        room = room_over(beyond, around.inward, moved(bed))
        wanted = np.where(room > 0, np.maximum(wanted, room + 2.0 * grid_mm), wanted)
    floor = float(min(beyond.vertices[:, 2].min(), ground.vertices[:, 2].min())) - thickness.wall - 4.0
    stop = to_solid(ground_under(ground, floor=floor - 1.0, spacing=0.5 * grid_mm))
    if bed is not None and len(bed.faces):
        stop = stop + bed_solid(moved(bed), floor=floor - 1.0)
    wider = ExtendedSurface(beyond, wanted, block=below(shown, floor=floor), floor=floor)
    face, attempt = replace(outer, mesh=shown), 0
    for rings in (1, 2, 3):  # folds that no smoothing opens: there is no need to build on them first
        folded = _crossing(face.mesh, face.mesh)
        if not folded.any():
            break
        face = _without(face, folded, rings=rings)
    while True:
        core = inner_solid(below(face.mesh, floor=floor), face.mesh, wider, spacing=grid_mm)
        raised, thin = _thick_enough(face.mesh, (core, stop), thickness.edge)
        # What was raised may lean over its neighbours: the border is to be seen whole again.
        cut, kept = trimmed(raised, _UP)
        final, gone = face.clipped(cut, kept), np.bincount(kept.indices, minlength=len(thin)) == 0
        attempt += 1
        # A few vertices less are no reason to build again.
        again = _redrawn(drawing, face, thin | gone) if attempt < attempts and gone.sum() > 12 else None
        if again is None:
            whole, solid, warnings = _solid(final.mesh, (core, stop), floor)
            lost = thin | _crossing(to_mesh(solid), raised)
            if not lost.any() or attempt == attempts:
                break
            again = _redrawn(drawing, face, lost)
        if again is not None:
            return build_shell(
                again.sheet,
                again.around,
                again.tissue,
                thickness=thickness,
                turn=turn,
                grid_mm=grid_mm,
                bed=bed,
                relief=relief,
                drawing=drawing,
                attempts=attempts - attempt,
            )
        face = _without(face, lost, rings=attempt)
    rms = float("nan")
    rough = None if relief is None else _with_relief(relief, final, (core, stop), floor=floor, edge_mm=thickness.edge)
    if rough is not None:
        final, rms, (whole, solid, warnings) = rough
    return Shell(solid, whole, stop, final, thickness.at(final.rim), floor, rms, warnings)


def _with_relief(
    relief: Relief, final: OuterSurface, behind: tuple[Any, ...], *, floor: float, edge_mm: float
) -> tuple[OuterSurface, float, tuple[Any, Any, tuple[str, ...]]] | None:
    """A sound face with as much relief as leaves it sound, the rms of that, and what `_solid` makes of it, or None."""
    for share in (1.0, 0.5, 0.25):
        rough, height = relief.on(final, share=share)
        raised, thin = _thick_enough(rough.mesh, behind, edge_mm)
        rough = rough.clipped(*trimmed(raised, _UP))
        made = _solid(rough.mesh, behind, floor)
        if not thin.any() and not len(intersecting_edges(to_mesh(made[1]))):
            return rough, height, made
    return None


def _solid(outer: Mesh, behind: tuple[Any, ...], floor: float) -> tuple[Any, Any, tuple[str, ...]]:
    """All that lies under an outer face, the part that is left of it, and warnings."""
    whole = to_solid(below(outer, floor=floor))
    solid, warnings = _outer_piece(whole - behind[0] - behind[1], outer)
    return whole, _mended(solid, outer, behind[1]), warnings


class _Nearness:
    """How near what is taken away comes to each vertex of an outer face and to the faces around it, mm.

    Asked for at vertices, at three points of each edge, at middles of faces, and from the other side's vertices: two
    surfaces of triangles come nearest to each other at a vertex of either or at two edges. Told where it is less than
    a length; elsewhere it may be the vertex's own.

    Parameters
    ----------
    faces : (F, 3) int, of the outer face
    behind : surfaces of what is taken away
    within_mm : that length
    """

    def __init__(self, faces: Ints, behind: list[Surface], *, within_mm: float) -> None:
        self._faces, self._behind, self._within = faces, behind, within_mm
        edges, _, _ = unique_edges(faces)
        shares = [(edges, (share, 1.0 - share)) for share in (0.25, 0.5, 0.75)]
        self._places = [*shares, (faces, (1 / 3, 1 / 3, 1 / 3))]
        self._others = np.concatenate([surface.mesh.vertices for surface in behind])

    def of(self, vertices: Floats, *, before: Floats | None = None, moved: Bools | None = None) -> Floats:
        """The distances, (V,); those `before` some vertices `moved` are kept where nothing beside them did."""
        fresh = np.ones(len(vertices), bool) if moved is None else grow_rings(self._faces, moved, 1)
        near = np.full(len(vertices), np.inf) if before is None else before.copy()
        # What lies between vertices reaches as far as these vertices' other neighbours.
        asked = grow_rings(self._faces, fresh, 1)
        own = np.full(len(vertices), np.inf)
        own[asked] = self._away(vertices[asked])
        near[fresh] = own[fresh]
        for place, shares in self._places:
            corners = place[fresh[place].any(1)]
            points = np.einsum("k,ckd->cd", shares, vertices[corners])
            # No point is nearer than a corner less the way between them.
            way = np.linalg.norm(vertices[corners] - points[:, None], axis=2)
            asked_for = (own[corners] - way).max(1) < self._within
            if asked_for.any():
                away = self._away(points[asked_for])
                np.minimum.at(near, corners[asked_for].ravel(), np.repeat(away, corners.shape[1]))
        faces, away = self._from_behind(vertices)
        np.minimum.at(near, faces.ravel(), np.repeat(away, 3))
        return near

    def _away(self, points: Floats) -> Floats:
        return np.asarray(np.min([surface.closest(points).distance for surface in self._behind], axis=0))

    def _from_behind(self, vertices: Floats) -> tuple[Ints, Floats]:
        """Faces, (C, 3), to which vertices of what is taken away come near, and how near, (C,)."""
        corners = vertices[self._faces]
        # No point of a face is farther from its nearest corner than two thirds of its longest side are long.
        reach = self._within + 0.67 * float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max())
        beside = self._others[np.isfinite(cKDTree(vertices).query(self._others, distance_upper_bound=reach)[0])]
        if not len(beside):
            return self._faces[:0], np.zeros(0)
        found = Surface(Mesh(vertices, self._faces)).closest(beside)
        close = found.distance < self._within
        return self._faces[found.faces[close]], found.distance[close]


def _crossing(part: Mesh, outer: Mesh, *, reach_mm: float = 1.0) -> Bools:
    """Vertices of the outer face near which the part crosses itself."""
    edges = intersecting_edges(part)
    if not len(edges):
        return np.zeros(len(outer.vertices), bool)
    return np.asarray(cKDTree(part.vertices[np.unique(edges)]).query(outer.vertices)[0] < reach_mm)


def _redrawn(drawing: MarginOutline | None, face: OuterSurface, lost: Bools, *, near_mm: float = 2.0) -> Outer | None:
    """The outer face with its border drawn around what is lost near it; None where that is nothing."""
    beside = lost & (face.rim < near_mm)
    return None if drawing is None or not beside.any() else drawing.without(face, beside)


def _without(sheet: OuterSurface, lost: Bools, *, rings: int) -> OuterSurface:
    """A sheet without some vertices and rings of faces around them; a membrane spans the hole that this may leave."""
    kept = ~grow_rings(sheet.mesh.faces, lost, rings)[sheet.mesh.faces].any(1)
    part, used = sheet.mesh.submesh(np.asarray(kept))
    pick = sp.identity(len(lost), format="csr")[used]
    less = sheet.clipped(*closed_inside(*largest_piece(part, pick)))
    for step in (opened, lambda mesh: trimmed(mesh, _UP)):
        less = less.clipped(*step(less.mesh))
    return less


def _thick_enough(outer: Mesh, behind: tuple[Any, ...], least_mm: float) -> tuple[Mesh, Bools]:
    """The outer face raised where what is taken away behind it, solids, would come nearer than a length.

    On thin margins the inner face is less exact than the edge is thick where the skin bends within a cell of its grid.

    Returns
    -------
    the face, and (V,) bool: where it still is nearer, as in folds that leave no room
    """
    surfaces = [Surface(to_mesh(solid)) for solid in behind]
    nearness = _Nearness(outer.faces, surfaces, within_mm=1.05 * least_mm)
    near, worst, along_axis = nearness.of(outer.vertices), np.inf, False
    for _ in range(10):
        short = np.where(near < 1.05 * least_mm, 1.07 * least_mm - near, 0.0)
        if not short.any() or (along_axis and short.sum() > 0.9 * worst):
            break
        # In a crease normals lead nowhere; along the axis everything is left behind at last.
        along_axis |= bool(short.sum() > 0.9 * worst)
        worst = short.sum()
        for _ in range(3):
            around = np.repeat(0.6 * short[outer.faces].max(1), 3)
            np.maximum.at(short, outer.faces.ravel(), around)
        # Steep margins bend within a triangle: what is raised there may fold.
        before = outer.vertices
        step = (
            np.broadcast_to(_UP, before.shape)
            if along_axis
            else smoothed_normals(outer.vertices, outer.faces, passes=2)
        )
        outer, _ = remove_self_intersections(outer.with_vertices(before + short[:, None] * step), moved=short > 0)
        near = nearness.of(outer.vertices, before=near, moved=(outer.vertices != before).any(1))
    return outer, near < least_mm


def _mended(solid: Any, outer: Mesh, stop: Any) -> Any:
    """The solid with what crosses drawn smooth, its outer face left alone: short edges left by the cuts may cross.

    What was drawn into the tissue is cut off again; where that crosses anew the solid stays as it was.
    """
    part = to_mesh(solid)
    shown = cKDTree(outer.vertices).query(part.vertices, distance_upper_bound=1e-6)[0] < 1e-6
    mended, moved = remove_self_intersections(part, fixed=shown, rings=0)
    if not moved.any():
        return solid
    smooth = to_solid(mended)
    for better in (smooth, smooth - stop):
        if not len(intersecting_edges(to_mesh(better))) and (better ^ stop).volume() < 1e-9:
            return better
    return solid


def _outer_piece(solid: Any, outer: Mesh) -> tuple[Any, tuple[str, ...]]:
    """The connected piece that carries the outer face; other pieces that carry some of it are named in a warning."""
    tree = cKDTree(outer.vertices)
    pieces = solid.decompose()
    shown = [int((tree.query(to_mesh(piece).vertices, distance_upper_bound=1e-6)[0] < 1e-6).sum()) for piece in pieces]
    if not any(shown):
        raise ValueError("nothing is left of the part once the tissue is taken away; choose a smaller clearance")
    best = int(np.argmax(shown))
    lost = sum(piece.volume() for k, piece in enumerate(pieces) if shown[k] and k != best)
    if lost > 0.01 * pieces[best].volume():
        return pieces[best], (f"{lost:.0f} mm3 of the part hung on nothing and was left out",)
    return pieces[best], ()
