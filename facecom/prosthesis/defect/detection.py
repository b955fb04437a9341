"""The holes of a completed scan that a prosthesis can cover."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.errors import ScanError
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    boundary_edges,
    boundary_loops,
    face_areas,
    face_components,
    face_cross,
)
from facecom.prosthesis.defect.neighbourhood import Defect, crop_to_box
from facecom.prosthesis.solid.clipping import loop_length, outer_boundary_loop

AT_MARK_MM, LEAST_AT_MARK = 2.0, 0.3
"""A missing piece is a marked one when this share of its border lies this near to the border of what was marked."""


def find_defects(
    merged: Mesh,
    in_patch: Bools,
    *,
    margin_mm: float,
    least_mm2: float,
    marked: Mesh | None = None,
    scan: Mesh | None = None,
    slit_mm: float = 20.0,
) -> list[Defect]:
    """Defects that a prosthesis can cover, largest first.

    Pieces of the patch whose margins would meet are one defect. A piece that reaches the scan's own border is none,
    unless the scan is given: then what of it lies beyond that border is no part of the defect.

    Parameters
    ----------
    merged : Mesh, mm
    in_patch : (F,) bool, faces of the patch
    margin_mm : width of the margin around a defect
    least_mm2 : smaller pieces are ignored
    marked : Mesh or None, surface of the scan that was marked as missing, mm; holes elsewhere, such as those behind the
        ears, where no scanner sees, are then ignored
    scan : Mesh or None, all that the raw scan shows, what was marked included, mm
    slit_mm : boundary loops shorter than this are slits between scan and patch, no border of the scan

    Raises
    ------
    ScanError
        When there is no patch, or none but what is too small or reaches the scan's own border.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(31.0), np.arange(31.0))
    >>> k = (np.arange(30)[:, None] * 31 + np.arange(30)).ravel()
    >>> faces = np.concatenate([np.stack([k, k + 1, k + 32], 1), np.stack([k, k + 32, k + 31], 1)])
    >>> skin = Mesh(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), faces)
    >>> hole = (np.abs(skin.vertices[faces].mean(1)[:, :2] - 15) < 5).all(1)
    >>> [round(defect.area_mm2, 6) for defect in find_defects(skin, hole, margin_mm=5, least_mm2=50)]
    [100.0]
    """
    rows = np.flatnonzero(in_patch)
    on_border = np.zeros(len(merged.vertices), bool)
    for loop in boundary_loops(merged.faces):
        on_border[loop] |= loop_length(merged.vertices[loop]) > slit_mm
    label, is_open = _pieces(merged, rows, on_border)
    if scan is not None and is_open.any():
        rows = rows[~(is_open[label] & _beyond_border(merged, rows, scan))]
        label, is_open = _pieces(merged, rows, on_border)
    area: Floats = np.bincount(label, face_areas(Mesh(merged.vertices, merged.faces[rows]))).astype(float)
    meant = np.ones(len(area), bool) if marked is None else _at_mark(merged, in_patch, rows, label, marked)
    large = meant & (area >= least_mm2)
    enclosed = large & ~is_open
    if not meant.any() and len(area):
        raise ScanError("nothing of what was marked is missing in the completed surface; mark the whole wound")
    if not enclosed.any():
        raise ScanError(_why_none(area[meant], large[meant]))
    pieces = [rows[label == k] for k in np.flatnonzero(enclosed)]
    group = _group_by_margin(merged, pieces, margin_mm)
    found = [
        _defect(merged, np.concatenate([p for p, g in zip(pieces, group, strict=True) if g == k])) for k in set(group)
    ]
    return sorted(found, key=lambda d: -d.area_mm2)


def _pieces(merged: Mesh, rows: Ints, on_border: Bools) -> tuple[Ints, Bools]:
    """The number of the piece of each of some faces, and for each piece whether it reaches the border, (P,)."""
    label = face_components(merged.faces[rows])
    reaches = on_border[merged.faces[rows]].sum(1) >= 2
    return label, np.bincount(label, reaches).astype(bool)


def _beyond_border(merged: Mesh, rows: Ints, scan: Mesh) -> Bools:
    """Which of some faces of the patch lie beside the scan, not over what it shows: its outer border is nearest, (R,).

    A mark that reaches the border joins what was marked with all that was never scanned.
    """
    # Healthy skin and what was marked are separate surfaces with the same vertices between them.
    places, number = np.unique(scan.vertices, axis=0, return_inverse=True)
    whole = Mesh(places, number.ravel()[scan.faces])
    ends = np.zeros(len(places), bool)
    if len(boundary_loops(whole.faces)):
        ends[outer_boundary_loop(whole)] = True
    used, corners = np.unique(merged.faces[rows], return_inverse=True)
    beside = ends[cKDTree(places).query(merged.vertices[used])[1]]
    return np.asarray(beside[corners.reshape(-1, 3)].any(1))


def _at_mark(merged: Mesh, in_patch: Bools, rows: Ints, label: Ints, marked: Mesh) -> Bools:
    """Which pieces of the patch, by their labels of some of its faces, lie in the place of what was marked."""
    scanned = np.zeros(len(merged.vertices), bool)
    scanned[merged.faces[~in_patch]] = True
    outline = cKDTree(marked.vertices[np.unique(boundary_edges(marked.faces))])
    corners = merged.faces[rows]
    pairs = np.unique(np.stack([np.repeat(label, 3), corners.ravel()], axis=1), axis=0)
    piece, vertex = pairs[scanned[pairs[:, 1]]].T
    near = np.isfinite(outline.query(merged.vertices[vertex], distance_upper_bound=AT_MARK_MM)[0])
    count = int(label.max(initial=-1)) + 1
    return np.bincount(piece, near, count) > LEAST_AT_MARK * np.bincount(piece, minlength=count)


def _why_none(area: Floats, large: Bools) -> str:
    if large.any():
        return (
            f"the scan has no hole with healthy skin all around it: what is missing ({area[large].max():.0f} mm2) "
            "reaches the scan's own border and leaves no room for a margin; scan wider, or name the part with `region`"
        )
    if len(area):
        return (
            f"the largest missing part has {area.max():.0f} mm2, too little for a prosthesis; lower `least_mm2`, or "
            "name the part with `region` where the scan shows the wound as a surface"
        )
    return "nothing is missing in the scan; name the part to be replaced with `region`"


def _group_by_margin(merged: Mesh, pieces: list[Ints], margin_mm: float) -> list[int]:
    """Group number of each piece; pieces closer than two margins share one."""
    group = list(range(len(pieces)))
    for k, piece in enumerate(pieces[:-1]):
        distance = _distance_near(merged, np.unique(merged.faces[piece]), 2.0 * margin_mm)
        for other in range(k + 1, len(pieces)):
            if np.isfinite(distance[merged.faces[pieces[other]]]).any():
                old, new = group[other], group[k]
                group = [new if g == old else g for g in group]
    return group


def _distance_near(mesh: Mesh, sources: Ints, reach_mm: float) -> Floats:
    """Geodesic distance of each vertex as far as it reaches, else inf; computed in a box around the sources."""
    local, used = crop_to_box(mesh, sources, reach_mm)
    out = np.full(len(mesh.vertices), np.inf)
    out[used] = geodesic_distance(local, np.searchsorted(used, sources), reach_mm=reach_mm)
    return out


def _defect(merged: Mesh, rows: Ints) -> Defect:
    mask = np.zeros(len(merged.faces), bool)
    mask[rows] = True
    area = face_areas(Mesh(merged.vertices, merged.faces[rows]))
    centre = area @ merged.vertices[merged.faces[rows]].mean(1) / area.sum()
    return Defect(mask, float(area.sum()), centre)


def vector_area(mesh: Mesh, faces: Bools) -> Floats:
    """Sum of the normals of some faces times their areas, (3,), mm2: it depends on the border of these faces alone.

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> vector_area(tile, np.array([True])).tolist()
    [0.0, 0.0, 2.0]
    """
    return 0.5 * face_cross(mesh.vertices, mesh.faces[faces]).sum(0)
