"""The outer face of a part: cut out of the completed skin, lifted off it, and mended where it then crosses itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.geometry.mesh import Floats, Mesh, unit
from facecom.prosthesis.border import opened, trimmed
from facecom.prosthesis.mending import uncrossed
from facecom.prosthesis.relief import with_relief
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.sheet import Neighbourhood, Sheet, cut_sheet
from facecom.prosthesis.source import Source
from facecom.prosthesis.thickness import Thickness
from facecom.prosthesis.tissue import above_tissue, even_normals, tissue_mesh


@dataclass(frozen=True, eq=False)
class Outer:
    """The outer face of a part, as it is worn; face frame, mm.

    sheet : Sheet, the face itself; around : Sheet, the same reaching farther over the skin
    tissue : Mesh, what lies under it
    relief_rms_mm : of the skin relief on it, NaN where there is none
    """

    sheet: Sheet
    around: Sheet
    tissue: Mesh
    relief_rms_mm: float


def cut_outer(
    source: Source, near: Neighbourhood, settings: DesignSettings, thickness: Thickness, *, towards: Floats
) -> Outer:
    """Cut the outer face out, with its relief, lift it off the skin, and mend what then crosses.

    near : Neighbourhood of the defect; towards : (3,) float, the withdrawal axis, or where the defect looks while there
        is none
    """
    sheet, wide, own = cut_sheet(near, towards=towards)
    tissue = tissue_mesh(wide, source.bed, settings.clearance_mm)
    shown, rms = wide, float("nan")
    if source.skin is not None:
        mesh, moved = with_relief(wide, source.skin)
        shown, rms = replace(wide, mesh=mesh), float(np.sqrt((moved[wide.inward > 1.0] ** 2).mean()))
    lifted = replace(wide, mesh=uncrossed(outer_face(shown, thickness))[0])
    raised = above_tissue(lifted, tissue, unit(towards), thickness=thickness)
    around = replace(lifted, mesh=raised if raised is lifted.mesh else uncrossed(raised)[0])
    face = replace(sheet, mesh=sheet.mesh.with_vertices(own @ around.mesh.vertices))
    # A border that was trimmed may leave tongues, and without them it is to be seen whole again.
    for step in (lambda m: trimmed(m, towards), opened, lambda m: trimmed(m, towards)):
        face = face.clipped(*step(face.mesh))
    return Outer(face, around, tissue, rms)


def outer_face(sheet: Sheet, thickness: Thickness) -> Mesh:
    """The sheet lifted off the skin as far as the thickness over skin needs."""
    return sheet.mesh.with_vertices(
        sheet.mesh.vertices + thickness.lift(sheet.inward)[:, None] * even_normals(sheet.mesh, rounds=3)
    )
