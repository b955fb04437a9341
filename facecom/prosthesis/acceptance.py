"""Which parts are refused, and what a laboratory must mend or a clinician must decide before one is made."""

from __future__ import annotations

import numpy as np

from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import face_areas
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.inspection import Inspection
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import Shell

LEAST_MARGIN, MOST_UNDERCUT_MM2 = 0.9, 1.0
"""A part is warned of when its margin is narrower than this share of what was asked for, and when more of the tissue
than this is undercut."""
SCANNED_MM = 2.0
"""Skin was scanned where the raw scan is as near as this."""
NEARLY_ALL_SCANNED = 0.98
"""A part is warned of when the scan shows the skin under less of its margin: slits between triangles do not count."""
MM3_PER_CM3 = 1000.0


def refuse_unwearable(source: DesignSurface, shell: Shell, settings: DesignSettings) -> None:
    """Refuse a part that is too small to be one, or whose margin lies on skin that nobody scanned.

    Raises
    ------
    ScanError
        With the reason and how to override it.
    """
    cm3 = float(shell.solid.volume()) / MM3_PER_CM3
    if cm3 < settings.least_cm3:
        raise ScanError(
            f"the part would have {cm3:.2f} cm3, less than {settings.least_cm3:g} cm3: too little is missing for a "
            "prosthesis; lower `least_cm3` (--least-cm3) where it is meant"
        )
    share = scanned_share(source, shell.outer)
    if share < settings.least_scanned:
        raise ScanError(
            f"the scan shows the skin under {share:.0%} of the part's margin and not under the rest, so that nobody "
            "knows what it would lie on; scan wider, or lower `least_scanned` (--least-scanned)"
        )


def scanned_share(source: DesignSurface, outer: OuterSurface) -> float:
    """Share of the margin's area that lies on skin of the raw scan; 1 where there is no margin."""
    on_skin = (outer.defect_distance[outer.mesh.faces] <= 1e-9).all(1)
    if not on_skin.any():
        return 1.0
    skin = outer.mesh.with_vertices(np.asarray(outer.weights @ source.merged.vertices)).submesh(np.asarray(on_skin))[0]
    near = Surface(source.tissue).closest(skin.vertices[skin.faces].mean(1)).distance < SCANNED_MM
    area = face_areas(skin)
    return float(area @ near / area.sum())


def warnings_about(source: DesignSurface, shell: Shell, found: Inspection, settings: DesignSettings) -> list[str]:
    """What must be known before a part is made, a sentence each."""
    told = [*_size_warnings(source), *shell.warnings, *scanned_warnings(source, shell.outer)]
    out = [*told, *_cut_warnings(found), *found.check.broken]
    if found.margin.min < LEAST_MARGIN * settings.margin_mm:
        out.append(
            f"the margin is {found.margin.min:.1f} mm wide in places, not {settings.margin_mm:g} mm: "
            "the skin there turns out of sight along the axis"
        )
    if found.undercuts.seat_mm2 > MOST_UNDERCUT_MM2:
        out.append(
            f"{found.undercuts.seat_mm2:.0f} mm2 of the tissue are undercut along the axis; a stiff part does not "
            "come off"
        )
    return out


def scanned_warnings(source: DesignSurface, outer: OuterSurface) -> list[str]:
    """What is said of a margin that does not lie on scanned skin all along."""
    share = scanned_share(source, outer)
    if share >= NEARLY_ALL_SCANNED:
        return []
    return [
        f"the scan shows the skin under {share:.0%} of the part's margin; the rest lies on skin that was made up: scan "
        "wider before the part is made"
    ]


def _size_warnings(source: DesignSurface) -> list[str]:
    if source.mm_per_unit_sigma is None:
        return []
    share = source.mm_per_unit_sigma / source.mm_per_unit
    return [
        f"the size of the part is known to {100 * share:.1f} % (standard deviation), as the scan has no unit; measure "
        "a distance on the person and give --mm-per-unit before it is made"
    ]


def _cut_warnings(found: Inspection) -> list[str]:
    if not found.cuts:
        return []
    volume, deepest = sum(cut.volume_mm3 for cut in found.cuts), max(cut.depth_mm for cut in found.cuts)
    return [
        f"the part fits once {volume:.0f} mm3 of tissue are cut away, {deepest:.1f} mm deep at most; inspection.json "
        "lists where"
    ]
