"""Where a part fills the room between its wall and a wound bed, and where it is a wall over what no scan shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, distance_transform_edt, grey_closing

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, face_normals
from facecom.prosthesis.solid.booleans import (
    heightfield_solid,
    points_in_polygon,
    single_boundary_loop,
    to_mesh,
    to_solid,
)

ABOVE_MM = 5.0
"""Rays down along the axis start this far above all that they may meet."""
COVERED_MM = 0.5
"""A bed is what the part sits on where no other tissue lies higher above it than this."""
OPEN_MM = 1.0
"""Behind a wall there is a hole where no bed is and nothing for so far."""
LEAST_HOLE_MM = 1.0
"""Holes into which no disc of this radius fits are none: single rays miss the bed at its steps."""
FROM_BORDER_MM = 1.0
"""Nearer to the border than this, across the axis, a part is its wall alone: on steep skin a thin curtain would hang
down to the bed."""
GROOVE_MM, INTO_GROOVE_MM = 2.0, 1.0
"""Into grooves that no disc of the first as radius fits into a part goes no deeper than the second: it would be a
blade, as in the fissure between lids."""
SLOPE = 1.0
"""How steeply the tissue side goes down to the bed from the wall over a hole: straight down it would be a cliff, and a
steep slope would leave a sharp rim along the walls of a cavity."""


class BedFill:
    """The columns, along the axis, of a part that go down to the bed.

    Parameters
    ----------
    bed, tissue : Mesh, axis frame, mm, the wound bed, and all that lies under the part, bed and skin
    under : Mesh, the outer face of the part
    floor : z of the floor, mm, below everything
    spacing : of the columns, mm
    """

    def __init__(self, bed: Mesh, tissue: Mesh, under: Mesh, *, floor: float, spacing: float) -> None:
        self._floor, self._spacing = floor, spacing
        self._low = under.vertices[:, :2].min(0) - spacing
        counts = np.ceil((under.vertices[:, :2].max(0) + spacing - self._low) / spacing).astype(int) + 1
        x, y = (self._low[k] + spacing * np.arange(n) for k, n in enumerate(counts))
        self._places = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
        self._top = ABOVE_MM + float(max(mesh.vertices[:, 2].max() for mesh in (bed, tissue, under)))
        self._tissue = self._heights(tissue)
        faces_up, _ = bed.submesh(face_normals(bed)[:, 2] > 0)
        on_bed = self._heights(faces_up)
        shown = (on_bed > floor) & (on_bed > self._tissue - COVERED_MM)
        self._on_bed = shown | binary_closing(shown, structure=self._disc(LEAST_HOLE_MM))
        self._grooves_filled = grey_closing(self._tissue, footprint=self._disc(GROOVE_MM))
        loop = under.vertices[single_boundary_loop(under)]
        self._under = points_in_polygon(loop, self._places.reshape(-1, 2)).reshape(counts)
        self._filled = self._on_bed & (spacing * distance_transform_edt(self._under) > FROM_BORDER_MM)

    def cut(self, intaglio: Any) -> Any:
        """What is left of the manifold3d solid behind a wall where the part fills the room down to the bed."""
        wall = self._heights(to_mesh(intaglio))
        away = self._spacing * distance_transform_edt(~self._holes(wall))
        bottom = np.maximum(wall - SLOPE * away, self._grooves_filled - INTO_GROOVE_MM)
        heights = np.where(self._filled, bottom, self._top)
        kept = heightfield_solid(heights, origin=self._low, spacing=self._spacing, floor=self._floor)
        return intaglio ^ to_solid(kept)

    def _holes(self, wall: Floats) -> Bools:
        """Columns of the part under whose wall, at these heights, neither bed nor skin is."""
        hole = self._under & ~self._on_bed & (wall - self._tissue > OPEN_MM)
        return np.asarray(binary_opening(hole, structure=self._disc(LEAST_HOLE_MM)))

    def _disc(self, radius_mm: float) -> Bools:
        reach = int(np.ceil(radius_mm / self._spacing))
        x, y = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        return np.asarray(np.hypot(x, y) <= reach)

    def _heights(self, mesh: Mesh) -> Floats:
        """Highest point of a mesh in each column, mm, the floor where it is not met."""
        if not len(mesh.faces):
            return np.full(self._places.shape[:2], self._floor)
        start = np.concatenate([self._places, np.full((*self._places.shape[:2], 1), self._top)], axis=-1).reshape(-1, 3)
        depth = Surface(mesh).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
        return np.maximum(self._top - depth, self._floor).reshape(self._places.shape[:2])
