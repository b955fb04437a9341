"""Several designs of one part side by side: what they look like, and where they differ from the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh
from facecom.prosthesis.output.pictures import captioned, shaded, thickness_colors, yawed
from facecom.prosthesis.shell.axis import axis_frame

if TYPE_CHECKING:
    from facecom.prosthesis.part import Prosthesis


@dataclass(frozen=True, eq=False)
class Difference:
    """How far a design's outer face lies from that of the first, mm.

    at : (V,) float, at each vertex of its shell, 0 where that is not the outer face
    mean, most : over the outer face
    """

    at: Floats
    mean: float
    most: float


def difference(first: Prosthesis, other: Prosthesis) -> Difference:
    """Compare the outer faces of two designs of one part."""
    rows = np.flatnonzero(other.provenance >= 0)
    at = np.zeros(len(other.shell.vertices))
    at[rows] = Surface(_outer(first)).closest(other.shell.vertices[rows]).distance
    return Difference(at, float(at[rows].mean()), float(at[rows].max()))


def comparison_picture(parts: Sequence[Prosthesis], *, size: int = 300) -> Any:
    """Draw designs side by side, (H, W, 3) uint8: from the front, from the side, and how far each is from the first.

    Parameters
    ----------
    parts : the most likely design first
    """
    first = parts[0]
    axes = axis_frame(first.to_face.rotate(first.axis))
    local = [p.shell.with_vertices(first.to_face.apply(p.shell.vertices)) for p in parts]
    half = 0.55 * max(float(np.ptp(m.vertices @ axes.T, axis=0)[:2].max()) for m in local)
    apart = [difference(first, part) for part in parts]
    top = max(0.5, *(d.most for d in apart))
    columns = []
    for k, (mesh, found) in enumerate(zip(local, apart, strict=True)):
        text = "most likely" if k == 0 else f"sample {k}: {found.mean:.2f} mm from it, at most {found.most:.2f}"
        # The colours of thickness, turned round: red is far.
        colors = thickness_colors(top - found.at, top=top)
        views = [
            captioned(shaded(mesh, axes, size=size, half=half), text),
            shaded(mesh, yawed(axes, 0.9), size=size, half=half),
            captioned(shaded(mesh, axes, size=size, half=half, colors=colors), f"blue 0, red {top:.1f} mm away"),
        ]
        columns.append(np.concatenate(views))
    return np.concatenate(columns, axis=1)


def _outer(part: Prosthesis) -> Mesh:
    mesh, _ = part.shell.submesh(np.asarray((part.provenance >= 0)[part.shell.faces].all(1)))
    return mesh
