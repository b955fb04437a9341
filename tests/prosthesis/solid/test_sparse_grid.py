"""A function evaluated near its zero level alone."""

import numpy as np
import pytest

from facecom.geometry.intersections import intersecting_edges
from facecom.prosthesis.solid.booleans import to_solid
from facecom.prosthesis.solid.isosurface import isosurface
from facecom.prosthesis.solid.sparse_grid import SparseGrid, sample_narrow_band


def test_a_ball_is_found_where_it_is_and_looked_for_only_there():
    radius, asked = 6.0, [0]
    grid = SparseGrid(np.array([-9.0, -8.5, -8.0]), np.array([41, 39, 43]), 0.45)

    def ball(stride, blocks):
        asked[0] += len(blocks)
        values = radius - np.linalg.norm(grid.block_centres(stride, blocks), axis=1)
        return values, np.ones(len(blocks))

    values = sample_narrow_band(ball, grid)
    mesh = isosurface(values, origin=grid.origin, spacing=grid.spacing)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - radius).max() < 0.01
    assert to_solid(mesh).volume() == pytest.approx(4.0 / 3.0 * np.pi * radius**3, rel=0.01)
    assert not len(intersecting_edges(mesh)) and asked[0] < 0.6 * values.size
