"""A cap is a disc, whatever the shape of its loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import boundary_edges, unique_edges
from facecom.stitching.caps import cap_loop, membrane_weights

NONE = np.zeros((0, 2), int)


@given(count=st.integers(3, 60), seed=st.integers(0, 100))
def test_a_cap_is_a_disc_with_the_loop_as_its_border(count: int, seed: int) -> None:
    loop = np.random.default_rng(seed).normal(size=(count, 3)) * 5
    added, triangles = cap_loop(loop, fixed=NONE)
    border = {tuple(e) for e in boundary_edges(triangles).tolist()}
    assert border == {(k, (k + 1) % count) for k in range(count)}
    edges, _, used = unique_edges(triangles)
    assert used.max() <= 2
    assert count + len(added) - len(edges) + len(triangles) == 1
    low, high = loop.min(0), loop.max(0)
    assert (added >= low - 1e-9).all()
    assert (added <= high + 1e-9).all()


@given(count=st.integers(4, 40), seed=st.integers(0, 100))
def test_a_membrane_reproduces_what_is_constant_and_averages_neighbours(count: int, seed: int) -> None:
    loop = np.random.default_rng(seed).normal(size=(count, 3))
    added, triangles = cap_loop(loop, fixed=NONE)
    weights = membrane_weights(triangles, count, len(added))
    assert np.allclose(weights.sum(1), 1.0)
    assert weights.min() > -1e-12
    assert np.allclose(weights @ loop, added)
    points = np.concatenate([loop, added])
    for vertex in range(count, len(points)):
        neighbours = np.setdiff1d(triangles[(triangles == vertex).any(1)], vertex)
        assert np.allclose(points[vertex], points[neighbours].mean(0))
