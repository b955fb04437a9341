"""The part itself: its outer face is the completed skin, its intaglio a wall behind it, on the wound or on the skin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from facecom.geometry.fairing import without_flaps
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Bools, Floats, Mesh, grow_rings
from facecom.prosthesis.shell.bed_fill import BedFill
from facecom.prosthesis.shell.block_out import blocked_out, tissue_under
from facecom.prosthesis.shell.border import remove_teeth, remove_tongues, trim_hidden_border
from facecom.prosthesis.shell.carving import Carved, carve, near_places, near_self_intersections
from facecom.prosthesis.shell.intaglio import ExtendedSurface, intaglio_solid
from facecom.prosthesis.shell.margin_outline import MarginOutline, ShellSurfaces
from facecom.prosthesis.shell.min_thickness import raise_to_thickness
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.relief import Relief
from facecom.prosthesis.shell.thickness import Thickness, grid_allowance_mm
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh
from facecom.prosthesis.solid.clipping import fill_inner_holes, largest_component

_UP = np.array([0.0, 0.0, 1.0])

FLOOR_BELOW_MM, TISSUE_BELOW_MM = 4.0, 1.0
"""How far below everything the part's floor lies, besides the wall's thickness, and the tissue's floor below it."""
BED_CELLS = 0.6
"""Spacing of the columns in which a part goes down to a wound bed, in grid cells."""
TISSUE_CELLS = 0.3
"""Spacing of the tissue's height field, in grid cells."""
BALL_EDGES = 1.2
"""Radius of the ball that must fit into a groove of the tissue, in thicknesses of the feather edge."""
FOLD_RINGS = (1, 2, 3)
"""Rings of faces that are taken out around folds that no smoothing opens, before anything is built on them."""
MOST_TRIMMED = 12
"""With more vertices trimmed off the raised face, the outline is redrawn at once."""
NEAR_BORDER_MM = 2.0
"""What is lost nearer to the border than this is left out by the outline; farther inside, a membrane spans it."""
RELIEF_SHARES = (1.0, 0.5, 0.25)
"""Shares of the skin relief that are tried, the first that leaves the part sound is taken."""


@dataclass(frozen=True, eq=False)
class Shell:
    """A part in its axis frame (z is the withdrawal axis), mm.

    Parameters
    ----------
    solid, block, tissue : manifold3d solids: the part, all that is under its outer face, and what it must not enter
    outer : OuterSurface, the outer face with its border
    thickness : (V,) float, mm, what was asked for at each vertex of `outer`
    floor : z of the block's floor, mm
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
    surfaces: ShellSurfaces,
    *,
    thickness: Thickness,
    rotation: Floats,
    grid_mm: float,
    bed: Mesh | None = None,
    raw_tissue: Mesh | None = None,
    relief: Relief | None = None,
    outline: MarginOutline | None = None,
    attempts: int = 4,
    progress: Callable[[float], None] | None = None,
) -> Shell:
    """Build the part behind an outer face.

    Where the part would be too thin or intersect itself, as in folds at the corner of a mouth or of lids, the outer
    face is spanned by a membrane over the fold, or the border set back where that is near, and the part built again.

    Parameters
    ----------
    surfaces : ShellSurfaces, face frame, mm
    thickness : Thickness
    rotation : (3, 3) float, face frame -> axis frame
    grid_mm : cell of the grid on which the intaglio is found; it is exact to about a hundredth of that
    bed : Mesh or None, the wound bed, above which the part fills the room, face frame
    raw_tissue : Mesh or None, all triangles of the raw scan, which keep the part off where the scan ends, face frame
    relief : Relief or None, laid on the outer face of the sound part, as much of it as leaves the part sound
    outline : MarginOutline or None, which redraws the border where it must be set back; else faces are left out
    attempts : after so many the part with the fewest faults is taken
    progress : called before each attempt with the share of them that are over; it may raise to end the work

    Raises
    ------
    ValueError
        When the border intersects itself along the axis, or nothing of the part is left.
    """
    candidates: list[_Candidate] = []
    left = attempts

    def begin(attempt: int) -> None:
        if progress is not None:
            progress((attempts - left + attempt) / attempts)

    while True:
        workpiece = _Workpiece(
            surfaces, thickness=thickness, rotation=rotation, grid_mm=grid_mm, bed=bed, raw_tissue=raw_tissue
        )
        redrawn, used = _build(workpiece, outline, left, begin, candidates)
        if redrawn is None:
            best = min(candidates, key=lambda candidate: candidate.faults)
            return best.workpiece.finished(best.built, relief)
        surfaces, left = redrawn, left - used


@dataclass(frozen=True, eq=False)
class _Raised:
    """An outer face that was raised to the least thickness and trimmed.

    face : OuterSurface, trimmed; intaglio : solid behind it; untrimmed : Mesh, before trimming
    thin, trimmed : (V,) bool, vertices of that where the part is too thin, and which were trimmed off
    """

    face: OuterSurface
    intaglio: Any
    untrimmed: Mesh
    thin: Bools
    trimmed: Bools


@dataclass(frozen=True, eq=False)
class _Built:
    """An outer face with its border, the solid behind its intaglio, and what is carved out between them."""

    face: OuterSurface
    intaglio: Any
    carved: Carved


class _Workpiece:
    """The surfaces of a part in its axis frame, and what does not change while it is built; see `build_shell`."""

    def __init__(
        self,
        surfaces: ShellSurfaces,
        *,
        thickness: Thickness,
        rotation: Floats,
        grid_mm: float,
        bed: Mesh | None,
        raw_tissue: Mesh | None,
    ) -> None:
        self._thickness, self._grid_mm = thickness, grid_mm
        self.outer = replace(surfaces.outer, mesh=_rotated(surfaces.outer.mesh, rotation))
        extended, tissue = _rotated(surfaces.extended.mesh, rotation), _rotated(surfaces.tissue, rotation)
        bed = None if bed is None or not len(bed.faces) else _rotated(bed, rotation)
        lowest = float(min(extended.vertices[:, 2].min(), tissue.vertices[:, 2].min()))
        self._floor = lowest - thickness.wall - FLOOR_BELOW_MM
        if raw_tissue is not None:
            tissue = _joined(tissue, tissue_under(_rotated(raw_tissue, rotation), self.outer.mesh))
        self._tissue = blocked_out(
            tissue,
            self.outer.mesh,
            floor=self._floor - TISSUE_BELOW_MM,
            spacing=TISSUE_CELLS * grid_mm,
            ball_mm=BALL_EDGES * thickness.edge,
        )
        wanted = thickness.at(surfaces.extended.border_distance) + grid_allowance_mm(grid_mm)
        self._fill = None
        if bed is not None:
            self._fill = BedFill(bed, tissue, self.outer.mesh, floor=self._floor, spacing=BED_CELLS * grid_mm)
        block = extrude_to_floor(self.outer.mesh, floor=self._floor)
        self._extended = ExtendedSurface(extended, wanted, block=block, floor=self._floor)

    def raised(self, face: OuterSurface) -> _Raised:
        """An outer face raised to the least thickness, its border visible."""
        block = extrude_to_floor(face.mesh, floor=self._floor)
        intaglio = intaglio_solid(block, face.mesh, self._extended, spacing=self._grid_mm)
        if self._fill is not None:
            intaglio = self._fill.cut(intaglio)
        raised, thin = raise_to_thickness(face.mesh, (intaglio, self._tissue), self._thickness.edge)
        # What was raised may lean over its neighbours.
        mesh, kept = trim_hidden_border(raised, _UP)
        trimmed = np.bincount(kept.indices, minlength=len(thin)) == 0
        mesh, own = remove_teeth(mesh, radius_mm=self._thickness.edge)
        kept = (own @ kept).tocsr()
        return _Raised(face.resampled(mesh, kept), intaglio, raised, thin, trimmed)

    def carved(self, outer: Mesh, intaglio: Any) -> Carved:
        """The part under an outer face."""
        return carve(outer, intaglio=intaglio, tissue=self._tissue, floor=self._floor, least_mm=self._thickness.edge)

    def finished(self, built: _Built, relief: Relief | None) -> Shell:
        """The part, with as much relief as leaves it sound."""
        built, rms = (built, float("nan")) if relief is None else self._with_relief(built, relief)
        face, carved = built.face, built.carved
        thickness = self._thickness.at(face.border_distance)
        return Shell(carved.part, carved.block, self._tissue, face, thickness, self._floor, rms, carved.warnings)

    def _with_relief(self, built: _Built, relief: Relief) -> tuple[_Built, float]:
        for share in RELIEF_SHARES:
            rough, rms = relief.on(built.face, share=share)
            raised, thin = raise_to_thickness(rough.mesh, (built.intaglio, self._tissue), self._thickness.edge)
            rough = rough.resampled(*trim_hidden_border(raised, _UP))
            carved = self.carved(rough.mesh, built.intaglio)
            if not (thin.any() or len(carved.thin)) and not len(intersecting_edges(to_mesh(carved.part))):
                return replace(built, face=rough, carved=carved), rms
        return built, float("nan")


def _joined(first: Mesh, second: Mesh) -> Mesh:
    """Two surfaces as one mesh."""
    faces = np.concatenate([first.faces, second.faces + len(first.vertices)])
    return Mesh(np.concatenate([first.vertices, second.vertices]), faces)


def _rotated(mesh: Mesh, rotation: Floats) -> Mesh:
    return mesh.with_vertices(mesh.vertices @ rotation.T)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A part that was built, and its faults: where it intersects itself, is too thin by rays, and by distances."""

    workpiece: _Workpiece
    built: _Built
    faults: tuple[int, int, int]


def _build(
    workpiece: _Workpiece,
    outline: MarginOutline | None,
    attempts: int,
    begin: Callable[[int], None],
    candidates: list[_Candidate],
) -> tuple[ShellSurfaces | None, int]:
    """Build parts, added to the candidates, until one is sound or the attempts are over.

    Returns other surfaces to build it between, or None at the end, and the attempts that it took.
    """
    face, attempt = _without_folds(workpiece.outer), 0
    while True:
        begin(attempt)
        raised = workpiece.raised(face)
        attempt += 1
        # A few vertices less are no reason to build again.
        if attempt < attempts and raised.trimmed.sum() > MOST_TRIMMED:
            redrawn = _redrawn(outline, face, raised.thin | raised.trimmed)
            if redrawn is not None:
                return redrawn, attempt
        carved = workpiece.carved(raised.face.mesh, raised.intaglio)
        crossed = near_self_intersections(to_mesh(carved.part), raised.untrimmed)
        faults = (int(crossed.sum()), len(carved.thin), int(raised.thin.sum()))
        candidates.append(_Candidate(workpiece, _Built(raised.face, raised.intaglio, carved), faults))
        lost = raised.thin | crossed | near_places(raised.untrimmed, carved.thin)
        if not lost.any() or attempt == attempts:
            return None, attempt
        redrawn = _redrawn(outline, face, lost)
        if redrawn is not None:
            return redrawn, attempt
        face = _spanned_without(face, lost, rings=attempt)


def _redrawn(outline: MarginOutline | None, face: OuterSurface, lost: Bools) -> ShellSurfaces | None:
    """The surfaces with the outline around what is lost near the border; None where that is nothing."""
    near = lost & (face.border_distance < NEAR_BORDER_MM)
    return None if outline is None or not near.any() else outline.redrawn_without(face, near)


def _without_folds(face: OuterSurface) -> OuterSurface:
    """An outer face without flaps and self-intersections: there is no need to build on them first."""
    face = replace(face, mesh=without_flaps(face.mesh))
    for rings in FOLD_RINGS:
        folded = near_self_intersections(face.mesh, face.mesh)
        if not folded.any():
            break
        face = _spanned_without(face, folded, rings=rings)
    return face


def _spanned_without(face: OuterSurface, lost: Bools, *, rings: int) -> OuterSurface:
    """An outer face without some vertices and rings of faces around them; a membrane spans the hole that is left."""
    kept = ~grow_rings(face.mesh.faces, lost, rings)[face.mesh.faces].any(1)
    part, used = face.mesh.submesh(np.asarray(kept))
    pick = sp.identity(len(lost), format="csr")[used]
    spanned = face.resampled(*fill_inner_holes(*largest_component(part, pick)))
    for step in (remove_tongues, lambda mesh: trim_hidden_border(mesh, _UP)):
        spanned = spanned.resampled(*step(spanned.mesh))
    return spanned
