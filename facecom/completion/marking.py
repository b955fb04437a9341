"""Which triangles of a scan are skin, which are doubted, and which show a defect, from what the caller marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facecom.completion.regions import EARS, region_mask
from facecom.completion.types import Scan
from facecom.evaluation.defects import DEFECTS
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.model.template import FINEST_LEVEL, Template
from facecom.scan.mark_snapping import snapped_border
from facecom.scan.mark_sources import scan_marks
from facecom.scan.marks import Marks, outlined_faces, painted_faces

AUTO, NONE = "auto", "none"
REGION_REACH_MM = 45.0
"""What lies this near to a marked region of the face belongs to it: a cavity is as deep."""

__all__ = ["ScanMarks", "marked_triangles", "read_scan_marks", "region_names"]


@dataclass(frozen=True, eq=False)
class ScanMarks:
    """What the caller says of a scan.

    missing : Marks on what is not face: the bed of a wound, a remnant to be covered, a membrane, a dressing
    doubted : Marks on skin that is kept and not believed: swelling, a scar
    find : whether defects are looked for besides; only where nothing is marked as missing
    snap : whether borders of marks move to creases and steps near them
    """

    missing: Marks = field(default_factory=Marks)
    doubted: Marks = field(default_factory=Marks)
    find: bool = False
    snap: bool = True


def region_names(template: Template) -> tuple[str, ...]:
    """Names of regions that can be marked."""
    sided = [f"{side}_{shape}" for shape in DEFECTS for side in ("left", "right")]
    return tuple(dict.fromkeys((*template.region_names, *template.masks, *EARS, *DEFECTS, *sided)))


def read_scan_marks(
    missing: Any, doubted: Any, scan: Mesh, *, source: Any, template: Template, snap: bool
) -> ScanMarks:
    """The marks of a job, from what `complete` was given.

    Raises
    ------
    ScanError, ValueError
        As of `scan_marks`; `missing` may also be "auto" or "none".
    """
    names = region_names(template)
    find = isinstance(missing, str) and missing == AUTO
    told = None if isinstance(missing, str) and missing in (AUTO, NONE) else missing
    return ScanMarks(
        missing=scan_marks(told, scan, source=source, regions=names),
        doubted=scan_marks(doubted, scan, source=source, regions=names),
        find=find,
        snap=snap,
    )


def marked_triangles(
    scan: Scan,
    marks: Marks,
    *,
    snap: bool,
    pose: Similarity | None = None,
    face: Floats | None = None,
    template: Template,
) -> Bools:
    """Triangles (F,) of `scan.mesh` under marks: painted ones without a pose; outlines and regions with one.

    Parameters
    ----------
    pose : scan, mm -> face frame, once it is known
    face : (V, 3) vertices of the template's finest level there, mm, face frame
    """
    if marks.empty:
        return np.zeros(len(scan.mesh.faces), bool)
    if pose is None or face is None:
        found = painted_faces(scan.mesh, marks, mm_per_unit=scan.mm_per_unit)
    else:
        to_face = pose @ Similarity(scale=scan.mm_per_unit)
        found = outlined_faces(scan.mesh, marks.outlines, to_face)
        centres = to_face.apply(scan.mesh.vertices)[scan.mesh.faces].mean(axis=1)
        found |= _in_regions(centres, marks.regions, face, template)
    return snapped_border(scan.mesh, found, mm_per_unit=scan.mm_per_unit) if snap else found


def _in_regions(points: Floats, regions: Sequence[str], face: Floats, template: Template) -> Bools:
    """Which points (N, 3) of the face frame lie nearest to a region of the face."""
    if not regions:
        return np.zeros(len(points), bool)
    mask = np.any([region_mask(template, name) for name in regions], axis=0)
    faces = template.faces[FINEST_LEVEL]
    found = Surface(Mesh(face, faces)).closest(points)
    return mask[faces[found.faces]].any(axis=1) & (found.distance < REGION_REACH_MM)
