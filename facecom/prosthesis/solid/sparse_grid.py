"""A function on a grid, evaluated in a narrow band around its zero level alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Ints

STRIDES = (8, 4, 2, 1)
"""Edges of the blocks, in nodes, from coarse to fine; each halves the one before."""


@dataclass(frozen=True, eq=False)
class SparseGrid:
    """A regular grid, mm, that can be looked at in cubic blocks of nodes; see `sample_narrow_band`.

    Parameters
    ----------
    origin : (3,) float, mm, the first node
    node_counts : (3,) int, nodes along each axis
    spacing : distance of two nodes, mm
    cache : by the edge of the blocks in nodes, what a function has computed for them, to be used again
    """

    origin: Floats
    node_counts: Ints
    spacing: float
    cache: dict[int, tuple[Floats, Floats, Ints]] = field(default_factory=dict)

    def shape(self, stride: int) -> tuple[int, ...]:
        """Number of blocks along each axis, where a block has `stride` nodes along an edge."""
        return tuple((-(-self.node_counts // stride)).tolist())

    def block_centres(self, stride: int, blocks: Ints) -> Floats:
        """Centres of some blocks, given by their flat numbers, (Q, 3), mm."""
        index = np.stack(np.unravel_index(blocks, self.shape(stride)), axis=1)
        return self.origin + self.spacing * (stride * index + 0.5 * (stride - 1))


def sample_narrow_band(function: Any, grid: SparseGrid, *, slope: float = 1.8) -> Floats:
    """Values of a function on a grid: exact near its zero level, of the right sign elsewhere.

    From coarse blocks to fine ones, blocks are evaluated again whose value is so small that the zero level may pass
    through them.

    Parameters
    ----------
    grid : SparseGrid
    function : takes the edge of blocks in nodes and (Q,) numbers of blocks, and gives the values at their centres and
        a bound on how fast these change (Lipschitz), per mm, (Q,) each
    slope : bound where the function was not evaluated

    Returns
    -------
    (I, J, K) float, values at the nodes
    """
    values = np.zeros(grid.shape(STRIDES[0]))
    slopes = np.full(values.shape, slope)
    for stride in STRIDES:
        coarsest = stride == STRIDES[0]
        if not coarsest:
            within = tuple(slice(n) for n in grid.shape(stride))
            values, slopes = (x.repeat(2, 0).repeat(2, 1).repeat(2, 2)[within].copy() for x in (values, slopes))
        # Half a block around its centre, and the neighbours of a cut edge, whose values are interpolated.
        reach = np.sqrt(3.0) * grid.spacing * (0.0 if coarsest else (stride - 0.5))
        near = np.flatnonzero(np.abs(values) <= slopes * (reach + np.sqrt(3.0) * grid.spacing))
        values.ravel()[near], slopes.ravel()[near] = function(stride, near)
    return values
