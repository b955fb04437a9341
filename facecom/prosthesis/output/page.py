"""The inspection picture of a part: views, sections, mould and figures on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.prosthesis.output.pictures import (
    captioned,
    drawn_section,
    provenance_colors,
    shaded,
    thickness_colors,
    yawed,
)
from facecom.prosthesis.shell.axis import axis_frame

if TYPE_CHECKING:
    from facecom.prosthesis.part import Prosthesis

_PART, _FACE_HALF, _BACK_HALF, _SKIN = (30, 60, 160), (40, 140, 60), (190, 60, 40), (150, 150, 150)


def inspection_picture(part: Prosthesis, *, size: int = 380) -> Any:
    """Draw the sheet, (H, W, 3) uint8: top row the part, bottom row sections, mould and figures."""
    local = lambda mesh: mesh.with_vertices(part.to_face.apply(mesh.vertices))  # noqa: E731
    shell, face_half, back_half = local(part.shell), local(part.mould_a), local(part.mould_b)
    up = part.to_face.rotate(part.axis)
    axes = axis_frame(up)
    behind = axes * [[-1.0], [1.0], [-1.0]]
    origin = shell.vertices[part.provenance >= 0].mean(0)
    half = 0.55 * float(np.ptp(shell.vertices @ axes.T, axis=0).max())
    kinds = provenance_colors(part.provenance)
    top = part.settings.wall_mm
    thin = thickness_colors(_thickness(shell, part.provenance), top=top)
    upright, level = np.stack([axes[2], axes[1], -axes[0]]), np.stack([axes[0], axes[2], -axes[1]])
    layers = [(face_half, _FACE_HALF), (back_half, _BACK_HALF), (shell, _PART)]
    wide = 0.55 * float(np.ptp(back_half.vertices @ axes.T, axis=0).max())
    parts = [
        [
            captioned(
                shaded(shell, yawed(axes, 0.0), size=size, colors=kinds),
                "part: grey measured, orange made, green mirrored",
            ),
            captioned(shaded(shell, yawed(axes, 0.7), size=size, colors=kinds), "part from the side"),
            captioned(shaded(shell, behind, size=size), "inner face"),
            captioned(shaded(shell, axes, size=size, colors=thin), f"thickness: red 0, blue {top:g} mm and more"),
        ],
        [
            captioned(drawn_section([(shell, _PART)], origin, upright, half=half, size=size), "section, upright"),
            captioned(drawn_section(layers, origin, level, half=wide, size=size), "section, level: part, mould halves"),
            captioned(shaded(face_half, yawed(behind, 0.3), size=size), "mould a: face"),
            captioned(shaded(back_half, yawed(axes, 0.3), size=size), "mould b: back"),
        ],
    ]
    rows = [np.concatenate(row, axis=1) for row in parts]
    return np.concatenate([*rows, _figures(part, rows[0].shape[1])])


def _thickness(shell: Mesh, provenance: Ints) -> Floats:
    """Distance of the outer face's vertices to the rest, and of the rest to the outer face."""
    outer = np.asarray((provenance >= 0)[shell.faces].all(1))
    out = np.zeros(len(shell.vertices))
    for mask in (outer, ~outer):
        other, _ = shell.submesh(~mask)
        rows = np.unique(shell.faces[mask])
        out[rows] = Surface(other).closest(shell.vertices[rows]).distance
    return out


def _figures(part: Prosthesis, width: int) -> Any:
    i = part.inspection
    wall, rim, edge = (f"{x.min:.2f} / {x.median:.2f} / {x.max:.2f} mm" for x in (i.wall, i.rim, i.edge))
    shares = ", ".join(f"{share:.0%} {name}" for name, share in i.shares.items())
    text = [
        f"thickness (least / median / most): wall {wall}, rim {rim}, outer border {edge}; step at the border "
        f"{i.step.median:.2f} mm, gap to the skin {i.gap.median:.2f} mm; margin {i.margin.min:.1f} to "
        f"{i.margin.max:.1f} mm",
        f"volume {i.volume_mm3 / 1000:.1f} cm3, mass {i.mass_g:.1f} g at {i.density_g_cm3:g} g/cm3; undercuts along "
        f"the axis: seat {i.undercuts.seat_mm2:.0f} mm2, outer face {i.undercuts.outer_mm2:.0f} mm2 (the axis with the "
        f"least: {i.least_undercuts.seat_mm2:.0f} and {i.least_undercuts.outer_mm2:.0f})",
        f"asymmetry {i.asymmetry_before_mm:.2f} mm without the part, {i.asymmetry_after_mm:.2f} mm with it; outer "
        f"face: {shares}; sigma where not measured {i.sigma_mm.median:.2f} mm (median)"
        + ("" if np.isnan(i.relief_rms_mm) else f"; relief {1000 * i.relief_rms_mm:.0f} um"),
        i.notice,
    ]
    canvas = need("PIL.Image").new("RGB", (width, 20 * len(text) + 8), "white")
    pen = need("PIL.ImageDraw").Draw(canvas)
    for k, line in enumerate(text):
        pen.text((6, 4 + 20 * k), line, fill=(40, 40, 40))
    return np.asarray(canvas)
