"""A list of triangles made an oriented manifold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import boundary_edges, unique_edges
from facecom.scan.topology import (
    consistent_orientation,
    consistent_surface,
    is_oriented_surface,
    nonmanifold_faces,
    nonorientable_faces,
)


def test_of_faces_that_are_alike_the_smallest_goes():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, -1, 0], [0.5, 0, 0.3]])
    faces = np.array([[0, 1, 4], [0, 1, 2], [1, 0, 3]])
    assert nonmanifold_faces(vertices, faces).tolist() == [True, False, False]


@given(st.integers(0, 10_000))
def test_no_edge_has_more_than_two_faces_and_no_face_goes_in_vain(seed):
    rng = np.random.default_rng(seed)
    faces = np.unique(np.sort([rng.choice(12, 3, replace=False) for _ in range(30)], axis=1), axis=0)
    vertices = rng.normal(size=(12, 3))
    gone = nonmanifold_faces(vertices, faces)
    assert unique_edges(faces[~gone])[2].max() <= 2
    if not gone.any():
        assert unique_edges(faces)[2].max() <= 2


@given(st.integers(0, 10_000))
def test_flipped_faces_are_flipped_back(seed):
    import trimesh

    ball = trimesh.creation.icosphere(1)
    rng = np.random.default_rng(seed)
    turned = rng.random(len(ball.faces)) < 0.4
    faces = np.where(turned[:, None], ball.faces[:, ::-1], ball.faces)
    assert is_oriented_surface(faces) == (not turned.any())
    found = consistent_orientation(faces)
    if turned.mean() != 0.5:
        assert np.array_equal(found, turned if turned.mean() < 0.5 else ~turned)
    assert is_oriented_surface(np.where(found[:, None], faces[:, ::-1], faces))


def test_a_surface_with_one_side_is_cut_open_once():
    k = np.arange(8)
    strip = np.stack([k, k + 1, k + 2], axis=1)
    strip[1::2] = strip[1::2, ::-1]
    moebius = strip % 9
    moebius = np.concatenate([moebius, [[8, 0, 1]]])
    assert not is_oriented_surface(moebius)
    assert not consistent_orientation(moebius).any()
    cut = consistent_surface(np.random.default_rng(0).normal(size=(9, 3)), moebius)
    assert is_oriented_surface(cut.faces)
    assert (cut.nonmanifold, cut.nonorientable) == (0, 1)
    assert np.array_equal(np.sort(cut.faces, axis=1), np.sort(moebius[cut.index], axis=1))


@given(st.integers(0, 10_000))
def test_any_list_of_faces_becomes_a_surface_with_two_sides(seed):
    rng = np.random.default_rng(seed)
    faces = np.unique(np.sort([rng.choice(14, 3, replace=False) for _ in range(40)], axis=1), axis=0)
    surface = consistent_surface(rng.normal(size=(14, 3)), rng.permuted(faces, axis=1))
    assert is_oriented_surface(surface.faces)
    ends = boundary_edges(surface.faces)
    assert np.array_equal(np.bincount(ends[:, 0], minlength=14), np.bincount(ends[:, 1], minlength=14))


@given(st.integers(0, 10_000))
def test_oriented_is_what_a_set_of_directed_edges_says(seed):
    rng = np.random.default_rng(seed)
    faces = np.array([rng.choice(9, 3, replace=False) for _ in range(rng.integers(1, 9))])
    directed = [edge for a, b, c in faces.tolist() for edge in ((a, b), (b, c), (c, a))]
    assert is_oriented_surface(faces) == (len(set(directed)) == len(directed))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_band_is_cut_where_its_half_turns_leave_it_one_side(turns):
    """A band of 12 faces with so many half turns: odd ones have one side."""
    count = 6
    low, high = np.arange(count), np.arange(count) + count
    after_low, after_high = np.roll(low, -1), np.roll(high, -1)
    if turns % 2:
        after_low[-1], after_high[-1] = high[0], low[0]
    faces = np.concatenate([np.stack([low, after_low, high], 1), np.stack([after_low, after_high, high], 1)])
    flipped, removed = nonorientable_faces(faces)
    kept = np.where(flipped[:, None], faces[:, ::-1], faces)[~removed]
    assert is_oriented_surface(kept)
    assert removed.sum() == turns % 2


def test_no_faces_are_a_surface():
    none = np.zeros((0, 3), np.int64)
    assert is_oriented_surface(none)
    assert len(consistent_surface(np.zeros((0, 3)), none).faces) == 0
