"""A function on a grid around a part, looked at only where it may be zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Ints


@dataclass(frozen=True, eq=False)
class SparseGrid:
    """Nodes of a grid around a part, mm, and what was found at the middles of its blocks: see `sample_level`.

    low : (3,), the first node; count : (3,) int; spacing : distance of two nodes
    found : what a function keeps there for the next time, under the edge of the blocks
    """

    low: Floats
    count: Ints
    spacing: float
    found: dict[int, tuple[Floats, Floats, Ints]] = field(default_factory=dict)

    def shape(self, stride: int) -> tuple[int, ...]:
        """How many blocks of so many nodes along an edge there are."""
        return tuple((-(-self.count // stride)).tolist())

    def places(self, stride: int, blocks: Ints) -> Floats:
        """Middles of blocks, (Q, 3), that are given by their numbers."""
        index = np.stack(np.unravel_index(blocks, self.shape(stride)), axis=1)
        return self.low + self.spacing * (stride * index + 0.5 * (stride - 1))


def sample_level(function: Any, grid: SparseGrid, *, slope: float = 1.8) -> Floats:
    """Values of a function on a grid, exact near its zero and of the right sign elsewhere.

    Coarse grids tell where the zero can be.

    Parameters
    ----------
    function : takes the edge of blocks in nodes and their numbers, and gives the values at their middles and how fast
        these change at most, per mm
    slope : how fast they change where this was not looked at
    """
    values = np.zeros(grid.shape(8))
    steep = np.full(values.shape, slope)
    for stride in (8, 4, 2, 1):
        size = grid.shape(stride)
        if stride < 8:
            within = tuple(slice(n) for n in size)
            values, steep = (x.repeat(2, 0).repeat(2, 1).repeat(2, 2)[within].copy() for x in (values, steep))
        # Half a block around its middle, and the neighbours of a crossing edge, whose values are interpolated.
        coarser = np.sqrt(3.0) * grid.spacing * ((stride - 0.5) if stride < 8 else 0.0)
        near = np.flatnonzero(np.abs(values) <= steep * (coarser + np.sqrt(3.0) * grid.spacing))
        values.ravel()[near], steep.ravel()[near] = function(stride, near)
    return values
