"""The inspection picture of a part: views, sections, mould and figures on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.prosthesis.checks.part_check import PartCheck
from facecom.prosthesis.inspection import Inspection
from facecom.prosthesis.output.part_data import PartData
from facecom.prosthesis.output.pictures import (
    SECTION_VIEW,
    draw_section,
    provenance_colors,
    shaded,
    thickness_colors,
    with_caption,
    yawed,
)
from facecom.prosthesis.shell.axis import axis_frame

_PART, _FACE_HALF, _BACK_HALF = (30, 60, 160), (40, 140, 60), (190, 60, 40)
SIDE_YAW, MOULD_YAW = 0.7, 0.3
"""How far the views of the part from the side and of the mould are turned, radians."""
_LINE_PX = 20


def inspection_picture(part: PartData, *, size: int = 380) -> Any:
    """Draw the page, (H, W, 3) uint8: top row the part, bottom row sections and mould, the figures under them.

    Parameters
    ----------
    part : PartData
    size : pixels a side of each picture
    """
    drawn = _Drawn.of(part)
    rows = [np.concatenate(row, axis=1) for row in (_part_row(part, drawn, size), _mould_row(drawn, size))]
    return np.concatenate([*rows, _figures(part.inspection, rows[0].shape[1])])


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Meshes in the face frame, mm, and axes to draw them along: image right, image up, towards the viewer."""

    shell: Mesh
    face_half: Mesh
    back_half: Mesh
    origin: Floats
    axes: Floats

    @classmethod
    def of(cls, part: PartData) -> _Drawn:
        shell, face, back = (
            mesh.with_vertices(part.to_face.apply(mesh.vertices)) for mesh in (part.shell, part.mould_a, part.mould_b)
        )
        origin = shell.vertices[part.provenance >= 0].mean(0)
        return cls(shell, face, back, origin, axis_frame(part.to_face.rotate(part.axis)))

    @property
    def behind(self) -> Floats:
        """The axes of a viewer behind the part."""
        return self.axes * [[-1.0], [1.0], [-1.0]]

    def half_width(self, mesh: Mesh) -> float:
        """Half the side of a square that shows a mesh, mm."""
        return SECTION_VIEW * float(np.ptp(mesh.vertices @ self.axes.T, axis=0).max())


def _part_row(part: PartData, drawn: _Drawn, size: int) -> list[Any]:
    shell, axes, top = drawn.shell, drawn.axes, part.settings.wall_mm
    kinds = provenance_colors(part.provenance)
    thin = thickness_colors(_thickness(shell, part.provenance), top=top)
    return [
        with_caption(
            shaded(shell, yawed(axes, 0.0), size=size, colors=kinds),
            "part: grey observed, orange model, blue mirrored",
        ),
        with_caption(shaded(shell, yawed(axes, SIDE_YAW), size=size, colors=kinds), "part from the side"),
        with_caption(shaded(shell, drawn.behind, size=size), "intaglio (inner face)"),
        with_caption(shaded(shell, axes, size=size, colors=thin), f"thickness: red 0, blue {top:g} mm and more"),
    ]


def _mould_row(drawn: _Drawn, size: int) -> list[Any]:
    shell, axes, origin = drawn.shell, drawn.axes, drawn.origin
    half, wide = drawn.half_width(shell), drawn.half_width(drawn.back_half)
    upright, level = np.stack([axes[2], axes[1], -axes[0]]), np.stack([axes[0], axes[2], -axes[1]])
    layers = [(drawn.face_half, _FACE_HALF), (drawn.back_half, _BACK_HALF), (shell, _PART)]
    return [
        with_caption(draw_section([(shell, _PART)], origin, upright, half=half, size=size), "section, upright"),
        with_caption(draw_section(layers, origin, level, half=wide, size=size), "section, level: part, mould halves"),
        with_caption(shaded(drawn.face_half, yawed(drawn.behind, MOULD_YAW), size=size), "mould a: face"),
        with_caption(shaded(drawn.back_half, yawed(axes, MOULD_YAW), size=size), "mould b: back"),
    ]


def _thickness(shell: Mesh, provenance: Ints) -> Floats:
    """Distance of the outer face's vertices to the rest, and of the rest to the outer face, (V,) mm."""
    outer = np.asarray((provenance >= 0)[shell.faces].all(1))
    out = np.zeros(len(shell.vertices))
    for mask in (outer, ~outer):
        other, _ = shell.submesh(~mask)
        rows = np.unique(shell.faces[mask])
        out[rows] = Surface(other).closest(shell.vertices[rows]).distance
    return out


def _figures(inspection: Inspection, width: int) -> Any:
    """The figures as lines of text, (H, width, 3) uint8."""
    lines = _lines(inspection)
    canvas = need("PIL.Image").new("RGB", (width, _LINE_PX * len(lines) + 8), "white")
    pen = need("PIL.ImageDraw").Draw(canvas)
    for k, line in enumerate(lines):
        pen.text((6, 4 + _LINE_PX * k), line, fill=(40, 40, 40))
    return np.asarray(canvas)


def _lines(i: Inspection) -> list[str]:
    wall, rim, edge = (f"{x.min:.2f} / {x.median:.2f} / {x.max:.2f} mm" for x in (i.wall, i.rim, i.edge))
    shares = ", ".join(f"{share:.0%} {name}" for name, share in i.shares.items())
    return [
        f"thickness (least / median / most): wall {wall}, rim {rim}, outer border {edge}; step at the border "
        f"{i.step.median:.2f} mm, clearance {i.clearance.median:.2f} mm; margin {i.margin.min:.1f} to "
        f"{i.margin.max:.1f} mm",
        f"volume {i.volume_mm3 / 1000:.1f} cm3, mass {i.mass_g:.1f} g at {i.density_g_cm3:g} g/cm3; undercuts along "
        f"the withdrawal axis: seat {i.undercuts.seat_mm2:.0f} mm2, outer face {i.undercuts.outer_mm2:.0f} mm2 (the "
        f"axis with the least: {i.least_undercuts.seat_mm2:.0f} and {i.least_undercuts.outer_mm2:.0f})",
        f"asymmetry {i.asymmetry_before_mm:.2f} mm without the part, {i.asymmetry_after_mm:.2f} mm with it; outer "
        f"face: {shares}; sigma where not observed {i.sigma_mm.median:.2f} mm (median)"
        + ("" if np.isnan(i.relief_rms_mm) else f"; relief {1000 * i.relief_rms_mm:.0f} um"),
        _checked(i.check),
        i.notice,
    ]


def _checked(check: PartCheck) -> str:
    tissue = check.tissue
    return (
        f"checked against the raw scan: in the tissue {tissue.tissue_overlap_mm3:.1f} mm3, "
        f"{tissue.tissue_overlap_deepest_mm:.2f} mm deep; on the way off {tissue.withdrawal_overlap_mm3:.1f} mm3, "
        f"{tissue.withdrawal_overlap_deepest_mm:.2f} mm deep; thinnest {check.thinnest_mm:.2f} mm; file "
        + ("watertight" if check.watertight else "NOT watertight")
        + (f"; BOUNDS BROKEN: {len(check.broken)}" if check.broken else "")
    )
