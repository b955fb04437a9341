"""The surface at which a function is zero, and the grid on which it is looked for."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, grow_rings
from facecom.prosthesis.shell.shell import _Nearness
from facecom.prosthesis.solid.booleans import to_solid
from facecom.prosthesis.solid.isosurface import isosurface
from facecom.prosthesis.solid.sparse_grid import SparseGrid, sample_level


@pytest.mark.parametrize("seed", range(4))
def test_each_edge_of_a_level_surface_has_two_faces_whatever_the_function(seed):
    values = np.random.default_rng(seed).normal(size=(12, 13, 14))
    if seed % 2:
        values = gaussian_filter(values, 1.0)
    mesh = isosurface(values, origin=np.zeros(3), spacing=0.5)
    pairs = np.sort(np.concatenate([np.roll(mesh.faces, k, axis=1)[:, :2] for k in range(3)]), axis=1)
    assert set(np.unique(pairs, axis=0, return_counts=True)[1]) == {2}
    assert to_solid(mesh).volume() > 0


def test_a_ball_is_found_where_it_is_and_looked_for_only_there():
    radius, asked = 6.0, [0]
    grid = SparseGrid(np.array([-9.0, -8.5, -8.0]), np.array([41, 39, 43]), 0.45)

    def ball(stride, blocks):
        asked[0] += len(blocks)
        values = radius - np.linalg.norm(grid.places(stride, blocks), axis=1)
        return values, np.ones(len(blocks))

    values = sample_level(ball, grid)
    mesh = isosurface(values, origin=grid.low, spacing=grid.spacing)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - radius).max() < 0.01
    assert to_solid(mesh).volume() == pytest.approx(4.0 / 3.0 * np.pi * radius**3, rel=0.01)
    assert not len(intersecting_edges(mesh)) and asked[0] < 0.6 * values.size


def test_nearness_looked_at_anew_only_where_something_moved_is_nearness(sheet):
    rng = np.random.default_rng(0)
    face = sheet(9, 9, seed=1)
    ground = Surface(Mesh(face.vertices - [0.0, 0.0, 0.6], face.faces))
    nearness = _Nearness(face.faces, [ground], within_mm=np.inf)
    before = nearness.of(face.vertices)
    moved = np.zeros(len(face.vertices), bool)
    moved[rng.integers(0, len(moved), 5)] = True
    raised = face.vertices + np.outer(moved, [0.0, 0.0, 0.4])
    again = nearness.of(raised, before=before, moved=moved)
    assert np.allclose(again, nearness.of(raised), atol=1e-6)
    assert np.array_equal(again[~grow_rings(face.faces, moved, 1)], before[~grow_rings(face.faces, moved, 1)])
    assert (again != before).any()


def test_nearness_is_exact_below_the_length_that_matters(sheet):
    face = sheet(9, 9, seed=2)
    rng = np.random.default_rng(4)
    ground = Surface(face.with_vertices(face.vertices - rng.uniform(0.05, 1.5, (len(face.vertices), 1)) * [0, 0, 1.0]))
    every = _Nearness(face.faces, [ground], within_mm=np.inf).of(face.vertices)
    some = _Nearness(face.faces, [ground], within_mm=0.3).of(face.vertices)
    less = every < 0.3
    assert 0.1 < less.mean() < 0.9
    assert np.array_equal(some[less], every[less]) and (some[~less] >= 0.3).all()


def test_nearness_sees_what_comes_near_within_a_face():
    face = Mesh([[0, 0, 0], [3, 0, 0], [0, 3, 0]], [[0, 1, 2]])
    peak = Mesh([[0.4, 0.3, -0.25], [0.2, -2, -3], [3, 1.5, -3], [-2, 1.5, -3]], [[0, 1, 2], [0, 2, 3], [0, 3, 1]])
    assert _Nearness(face.faces, [Surface(peak)], within_mm=0.3).of(face.vertices).max() == pytest.approx(0.25)
