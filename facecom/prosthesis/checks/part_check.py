"""The check of a finished part: its overlap with the raw scan, its thickness, and whether its file is sound."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, face_cross, unit
from facecom.io.text_formats import read_stl
from facecom.io.writers import stl_bytes
from facecom.prosthesis.checks.columns import outward_faces
from facecom.prosthesis.checks.thickness import thinnest_place
from facecom.prosthesis.checks.tissue import TissueOverlap, check_tissue
from facecom.prosthesis.settings import CheckBounds

RESOLVED_MM = 2e-3
"""An edge pierces a triangle where both its ends lie farther than this from its plane: rounding to float32 makes long
walls of slivers cross by a thousandth of a millimetre, which no printer resolves."""


@dataclass(frozen=True)
class PartCheck:
    """What was measured on a part as its file holds it, in float32.

    Parameters
    ----------
    tissue : TissueOverlap, with the raw scan
    thinnest_mm : the shortest ray through the part, from its surface straight inwards
    thinnest_at : where that is, in the frame of the part
    self_intersections : edges that pierce a triangle, by more than rounding
    watertight : whether the file, read again, is closed and wound outwards throughout
    volume_mm3 : of the file's mesh
    broken : what is beyond the bounds, a sentence each
    """

    tissue: TissueOverlap
    thinnest_mm: float
    thinnest_at: tuple[float, float, float]
    self_intersections: int
    watertight: bool
    volume_mm3: float
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, those of the tissue beside the others."""
        own = asdict(self)
        return own.pop("tissue") | own


def check_part(
    part: Mesh, tissue: Mesh, *, axis: ArrayLike, edge_mm: float, bounds: CheckBounds | None = None
) -> PartCheck:
    """Measure a part of any origin against any scan, and say which bounds it breaks.

    Parameters
    ----------
    part : Mesh, closed, mm, in the frame of the scan
    tissue : Mesh, all triangles of the raw scan; see `check_tissue`
    axis : (3,) float, along which the part is taken off
    edge_mm : no wall may be thinner
    bounds : CheckBounds

    Raises
    ------
    ValueError
        When the part is open in many places, so that it has no inside; and as `check_tissue` does.

    Examples
    --------
    >>> from facecom.prosthesis.solid.booleans import heightfield_solid
    >>> bed = Mesh([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> block = heightfield_solid(np.full((9, 9), 1.0), origin=np.array([-4.0, -4.0]), spacing=1.0, floor=-1.0)
    >>> check_part(block, bed, axis=[0, 0, 1], edge_mm=0.3).broken[0]
    'the part runs into the tissue: 64.1 mm3, 1.00 mm deep, where 5 mm3 and 0.3 mm are allowed'
    """
    bounds = bounds or CheckBounds()
    written = as_written(part)
    overlap = check_tissue(written, tissue, axis=axis)
    outward = outward_faces(written)
    thinnest = thinnest_place(outward, axis=unit(np.asarray(axis, float)))
    volume = signed_volume(written)
    found = PartCheck(
        tissue=overlap,
        thinnest_mm=thinnest.mm,
        thinnest_at=thinnest.at,
        self_intersections=len(intersecting_edges(written, tolerance_mm=RESOLVED_MM)),
        watertight=is_watertight(written),
        volume_mm3=abs(volume),
        broken=(),
    )
    return PartCheck(**(vars(found) | {"broken": broken_bounds(found, edge_mm=edge_mm, bounds=bounds)}))


def as_written(part: Mesh) -> Mesh:
    """A mesh written to an STL file and read again: its corners in float32, those at one place joined."""
    parsed = read_stl(stl_bytes(part))
    return Mesh(parsed.vertices, parsed.faces)


def is_watertight(part: Mesh) -> bool:
    """Whether each edge has one face on either side, which run through it in opposite directions, around a volume."""
    start, end, base = part.faces.ravel(), np.roll(part.faces, -1, axis=1).ravel(), len(part.vertices)
    forward, backward = np.sort(start * base + end), np.sort(end * base + start)
    closed = np.array_equal(forward, backward) and (np.diff(forward) > 0).all() and (start != end).all()
    return bool(closed and signed_volume(part) > 0)


def signed_volume(part: Mesh) -> float:
    """Volume within a closed mesh, mm3, negative where its faces look inwards."""
    if not len(part.faces):
        return 0.0
    corners = part.vertices - part.vertices.mean(0)
    return float(np.einsum("fd,fd->", corners[part.faces[:, 0]], face_cross(corners, part.faces))) / 6.0


def broken_bounds(found: PartCheck, *, edge_mm: float, bounds: CheckBounds) -> tuple[str, ...]:
    """What of a check is beyond its bounds, a sentence each."""
    t, out = found.tissue, []
    allowed = f"where {bounds.overlap_mm3:g} mm3 and {bounds.overlap_deepest_mm:g} mm are allowed"
    if t.tissue_overlap_mm3 > bounds.overlap_mm3 or t.tissue_overlap_deepest_mm > bounds.overlap_deepest_mm:
        out.append(
            f"the part runs into the tissue: {t.tissue_overlap_mm3:.1f} mm3, {t.tissue_overlap_deepest_mm:.2f} mm "
            f"deep, {allowed}"
        )
    if t.withdrawal_overlap_mm3 > bounds.overlap_mm3 or t.withdrawal_overlap_deepest_mm > bounds.overlap_deepest_mm:
        out.append(
            f"the part collides with the tissue on its way off, most when lifted {t.withdrawal_worst_mm:.2f} mm: "
            f"{t.withdrawal_overlap_mm3:.1f} mm3, {t.withdrawal_overlap_deepest_mm:.2f} mm deep, {allowed}"
        )
    if found.thinnest_mm < edge_mm:
        out.append(f"the part is {found.thinnest_mm:.2f} mm thick in places, less than the edge of {edge_mm:g} mm")
    if found.self_intersections:
        edges = found.self_intersections
        out.append(f"the part's surface intersects itself at {edges} edges; repair it before printing")
    if not found.watertight:
        out.append("the part's file is not watertight once it is read again; repair it before printing")
    return tuple(out)
