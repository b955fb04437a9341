"""The solid of a part: what lies under its outer face, less what is taken away behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.prosthesis.shell.fins import left_thin, without_fins
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh, to_solid

SAME_PLACE_MM = 1e-6
"""A vertex of the solid is one of the outer face when it lies this near to it."""
NO_OVERLAP_MM3 = 1e-9
"""A volume that rounding leaves where two solids do not overlap."""
REPAIR_ROUNDS = 3
"""Self-intersections are smoothed and fins cut off so many times at most."""
MOST_LOST = 0.01
"""Share of the part that may hang on nothing without a warning."""


@dataclass(frozen=True, eq=False)
class Carved:
    """What is carved out under an outer face; manifold3d solids.

    Parameters
    ----------
    block : all that lies under the outer face
    part : what is left of it
    thin : (N, 3) float, mm, where it is still too thin
    warnings : tuple of str
    """

    block: Any
    part: Any
    thin: Floats
    warnings: tuple[str, ...]


def carve(outer: Mesh, *, intaglio: Any, tissue: Any, floor: float, least_mm: float) -> Carved:
    """The part under an outer face: less the solid behind its intaglio, less the tissue, less fins that are left.

    Parameters
    ----------
    outer : Mesh, axis frame, mm
    intaglio, tissue : manifold3d solids
    floor : z of the block's floor, mm
    least_mm : walls behind the outer face that are thinner are fins, see `without_fins`

    Raises
    ------
    ValueError
        When the border of the outer face intersects itself along the axis, or nothing of the part is left.
    """
    block = to_solid(extrude_to_floor(outer, floor=floor))
    part, warnings = _piece_with_outer_face(block - intaglio - tissue, outer)
    for _ in range(REPAIR_ROUNDS):
        # What one of the two changes may need the other again.
        smooth = _without_self_intersections(part, outer, tissue)
        part = without_fins(smooth, outer, least_mm=least_mm)
        if part is smooth:
            break
        part, _ = _piece_with_outer_face(part, outer)
    return Carved(block, part, left_thin(to_mesh(part), least_mm=least_mm), warnings)


def near_places(outer: Mesh, places: Floats, *, reach_mm: float = 1.0) -> Bools:
    """Vertices of an outer face near to one of some places, (V,)."""
    if not len(places):
        return np.zeros(len(outer.vertices), bool)
    return np.asarray(cKDTree(places).query(outer.vertices)[0] < reach_mm)


def near_self_intersections(part: Mesh, outer: Mesh, *, reach_mm: float = 1.0) -> Bools:
    """Vertices of an outer face near which the part intersects itself, (V,)."""
    return near_places(outer, part.vertices[np.unique(intersecting_edges(part))], reach_mm=reach_mm)


def _without_self_intersections(solid: Any, outer: Mesh, tissue: Any) -> Any:
    """The solid with its self-intersections smoothed, its outer face left alone: short edges of the cuts may intersect.

    What was smoothed into the tissue is cut off again; where that intersects again the solid stays as it was.
    """
    part = to_mesh(solid)
    smoothed, moved = remove_self_intersections(part, fixed=_on_outer_face(part, outer), rings=0)
    if not moved.any():
        return solid
    smooth = to_solid(smoothed)
    for better in (smooth, smooth - tissue):
        if not len(intersecting_edges(to_mesh(better))) and (better ^ tissue).volume() < NO_OVERLAP_MM3:
            return better
    return solid


def _on_outer_face(part: Mesh, outer: Mesh) -> Bools:
    """Vertices of a part that are vertices of its outer face, (V,)."""
    distance, _ = cKDTree(outer.vertices).query(part.vertices, distance_upper_bound=SAME_PLACE_MM)
    return np.asarray(distance < SAME_PLACE_MM)


def _piece_with_outer_face(solid: Any, outer: Mesh) -> tuple[Any, tuple[str, ...]]:
    """The connected piece that carries the outer face; a warning where other pieces carry some of it too."""
    pieces = solid.decompose()
    on_outer = [int(_on_outer_face(to_mesh(piece), outer).sum()) for piece in pieces]
    if not any(on_outer):
        raise ValueError("nothing is left of the part once the tissue is taken away; choose a smaller clearance")
    best = int(np.argmax(on_outer))
    lost = sum(piece.volume() for k, piece in enumerate(pieces) if on_outer[k] and k != best)
    if lost > MOST_LOST * pieces[best].volume():
        return pieces[best], (f"{lost:.0f} mm3 of the part hung on nothing and was left out",)
    return pieces[best], ()
