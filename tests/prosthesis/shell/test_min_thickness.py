"""The outer face is raised where the part would be too thin."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, grow_rings
from facecom.prosthesis.shell.min_thickness import DistanceBehind, raise_to_thickness
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh, to_solid


def test_what_is_raised_in_a_cleft_does_not_fold():
    ticks = np.arange(-3.0, 3.01, 0.25)
    x, y = (a.ravel() for a in np.meshgrid(ticks, ticks, indexing="ij"))
    k = np.arange(len(x)).reshape(len(ticks), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    cleft = Mesh(np.stack([x, y, 2.5 * np.abs(x)], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
    behind = to_solid(extrude_to_floor(cleft.with_vertices(cleft.vertices - [0.0, 0.0, 0.2]), floor=-3.0))
    raised, thin = raise_to_thickness(cleft, (behind,), 0.3)
    assert not thin.any()
    assert not len(intersecting_edges(raised))
    away = Surface(to_mesh(behind)).closest(raised.vertices).distance
    assert away.min() > 0.3


def test_distances_computed_anew_only_where_something_moved_are_the_distances(sheet):
    rng = np.random.default_rng(0)
    face = sheet(9, 9, seed=1)
    ground = Surface(Mesh(face.vertices - [0.0, 0.0, 0.6], face.faces))
    distance = DistanceBehind(face.faces, [ground], within_mm=np.inf)
    before = distance.at(face.vertices)
    moved = np.zeros(len(face.vertices), bool)
    moved[rng.integers(0, len(moved), 5)] = True
    raised = face.vertices + np.outer(moved, [0.0, 0.0, 0.4])
    again = distance.at(raised, before=before, moved=moved)
    assert np.allclose(again, distance.at(raised), atol=1e-6)
    assert np.array_equal(again[~grow_rings(face.faces, moved, 1)], before[~grow_rings(face.faces, moved, 1)])
    assert (again != before).any()


def test_distances_are_exact_below_the_length_that_matters(sheet):
    face = sheet(9, 9, seed=2)
    rng = np.random.default_rng(4)
    ground = Surface(face.with_vertices(face.vertices - rng.uniform(0.05, 1.5, (len(face.vertices), 1)) * [0, 0, 1.0]))
    every = DistanceBehind(face.faces, [ground], within_mm=np.inf).at(face.vertices)
    some = DistanceBehind(face.faces, [ground], within_mm=0.3).at(face.vertices)
    less = every < 0.3
    assert 0.1 < less.mean() < 0.9
    assert np.array_equal(some[less], every[less]) and (some[~less] >= 0.3).all()


def test_the_distance_sees_what_comes_near_within_a_face():
    face = Mesh([[0, 0, 0], [3, 0, 0], [0, 3, 0]], [[0, 1, 2]])
    peak = Mesh([[0.4, 0.3, -0.25], [0.2, -2, -3], [3, 1.5, -3], [-2, 1.5, -3]], [[0, 1, 2], [0, 2, 3], [0, 3, 1]])
    assert DistanceBehind(face.faces, [Surface(peak)], within_mm=0.3).at(face.vertices).max() == pytest.approx(0.25)
