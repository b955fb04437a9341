"""Several designs of one part side by side: what they look like, and where they differ from the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh
from facecom.prosthesis.output.part_data import PartData
from facecom.prosthesis.output.pictures import SECTION_VIEW, shaded, thickness_colors, with_caption, yawed
from facecom.prosthesis.shell.axis import axis_frame

SIDE_YAW = 0.9
"""How far the view from the side is turned, radians."""
LEAST_SCALE_MM = 0.5
"""The colour scale reaches at least as far, so that differences that do not matter stay blue."""


@dataclass(frozen=True, eq=False)
class Difference:
    """How far a design's outer face lies from that of the first, mm.

    Parameters
    ----------
    distance : (V,) float, at each vertex of its shell, 0 where that is not on the outer face
    mean, most : over the outer face
    """

    distance: Floats
    mean: float
    most: float


def difference(first: PartData, other: PartData) -> Difference:
    """Compare the outer faces of two designs of one part."""
    rows = np.flatnonzero(other.provenance >= 0)
    distance = np.zeros(len(other.shell.vertices))
    distance[rows] = Surface(_outer(first)).closest(other.shell.vertices[rows]).distance
    return Difference(distance, float(distance[rows].mean()), float(distance[rows].max()))


def comparison_picture(parts: Sequence[PartData], *, size: int = 300) -> Any:
    """Draw designs side by side, (H, W, 3) uint8: from the front, from the side, and how far each is from the first.

    Parameters
    ----------
    parts : the most likely design first
    size : pixels a side of each picture
    """
    first = parts[0]
    axes = axis_frame(first.to_face.rotate(first.axis))
    meshes = [p.shell.with_vertices(first.to_face.apply(p.shell.vertices)) for p in parts]
    half = SECTION_VIEW * max(float(np.ptp(m.vertices @ axes.T, axis=0)[:2].max()) for m in meshes)
    found = [difference(first, part) for part in parts]
    top = max(LEAST_SCALE_MM, *(d.most for d in found))
    columns = []
    for k, (mesh, apart) in enumerate(zip(meshes, found, strict=True)):
        text = "most likely" if k == 0 else f"sample {k}: {apart.mean:.2f} mm from it, at most {apart.most:.2f}"
        # The colours of thickness, reversed: red is far.
        colors = thickness_colors(top - apart.distance, top=top)
        views = [
            with_caption(shaded(mesh, axes, size=size, half=half), text),
            shaded(mesh, yawed(axes, SIDE_YAW), size=size, half=half),
            with_caption(shaded(mesh, axes, size=size, half=half, colors=colors), f"blue 0, red {top:.1f} mm away"),
        ]
        columns.append(np.concatenate(views))
    return np.concatenate(columns, axis=1)


def _outer(part: PartData) -> Mesh:
    mesh, _ = part.shell.submesh(np.asarray((part.provenance >= 0)[part.shell.faces].all(1)))
    return mesh
