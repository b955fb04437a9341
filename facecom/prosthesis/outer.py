"""The outer face of a part: cut out of the completed skin, lifted off it, and mended where it then crosses itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facecom.geometry.mesh import Floats, Mesh, unit
from facecom.prosthesis.band import band_around, drawn_sheet, plain_sheet
from facecom.prosthesis.border import opened, trimmed
from facecom.prosthesis.mending import uncrossed
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.sheet import Sheet
from facecom.prosthesis.source import Source
from facecom.prosthesis.surroundings import Neighbourhood
from facecom.prosthesis.thickness import Thickness
from facecom.prosthesis.tissue import above_tissue, even_normals, tissue_mesh


@dataclass(frozen=True, eq=False)
class Outer:
    """The outer face of a part, as it is worn; face frame, mm.

    sheet : Sheet, the face itself; around : Sheet, the same reaching farther over the skin
    tissue : Mesh, what lies under it
    """

    sheet: Sheet
    around: Sheet
    tissue: Mesh


def cut_outer(
    source: Source, near: Neighbourhood, settings: DesignSettings, thickness: Thickness, *, towards: Floats
) -> Outer:
    """Cut the outer face out, lift it off the skin, and mend what then crosses.

    near : Neighbourhood of the defect; towards : (3,) float, the withdrawal axis
    """
    band = band_around(near, towards=towards)
    sheet, wide, own = drawn_sheet(band)
    tissue = tissue_mesh(wide, source.bed, settings.clearance_mm)
    lifted = replace(wide, mesh=uncrossed(outer_face(wide, thickness))[0])
    raised = above_tissue(lifted, tissue, unit(towards), thickness=thickness)
    around = replace(lifted, mesh=raised if raised is lifted.mesh else uncrossed(raised)[0])
    face = replace(sheet, mesh=sheet.mesh.with_vertices(own @ around.mesh.vertices))
    # A border that was trimmed may leave tongues, and without them it is to be seen whole again.
    for step in (lambda m: trimmed(m, towards), opened, lambda m: trimmed(m, towards)):
        face = face.clipped(*step(face.mesh))
    return Outer(face, around, tissue)


def rough_outer(near: Neighbourhood, thickness: Thickness, *, towards: Floats) -> Sheet:
    """The outer face as it is while there is no axis yet: lifted off the skin, and not mended.

    towards : (3,) float, where the defect looks
    """
    sheet = plain_sheet(band_around(near, towards=towards))
    return replace(sheet, mesh=outer_face(sheet, thickness))


def outer_face(sheet: Sheet, thickness: Thickness) -> Mesh:
    """The sheet lifted off the skin as far as the thickness over skin needs."""
    return sheet.mesh.with_vertices(
        sheet.mesh.vertices + thickness.lift(sheet.rim, sheet.inward)[:, None] * even_normals(sheet.mesh, rounds=3)
    )
