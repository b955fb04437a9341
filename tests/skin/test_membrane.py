"""Membranes keep constants and linear functions; edge differences are differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import unique_edges
from facecom.skin.membrane import edge_differences, extend_smoothly


@given(seed=st.integers(0, 1000))
def test_edge_differences_are_differences(seed, sheet):
    edges, _, _ = unique_edges(sheet(4, 6).faces)
    values = np.random.default_rng(seed).normal(size=(35, 2))
    expected = np.array([values[b] - values[a] for a, b in edges.tolist()])
    assert np.allclose(edge_differences(edges, 35) @ values, expected)


@given(slope=st.tuples(st.floats(-2, 2), st.floats(-2, 2)), level=st.floats(-3, 3))
def test_a_membrane_through_a_linear_border_is_linear(slope, level, sheet):
    mesh = sheet(8, 8, seed=3)
    linear = (mesh.vertices[:, :2] @ slope + level)[:, None]
    border = ((mesh.vertices[:, :2] == 0) | (mesh.vertices[:, :2] == 8)).any(1)
    out = extend_smoothly(mesh, np.where(border[:, None], linear, 77.0), border, hold=1e7)
    assert np.allclose(out, linear, atol=1e-3)


def test_the_membrane_comes_nearer_to_what_is_given_with_hold(sheet):
    mesh = sheet(8, 8)
    given_values = np.random.default_rng(0).normal(size=(81, 1))
    given_at = np.random.default_rng(1).random(81) < 0.5
    far, near = (
        np.abs(extend_smoothly(mesh, given_values, given_at, hold=hold) - given_values)[given_at].mean()
        for hold in (0.1, 10.0)
    )
    assert near < 0.3 * far
    even = extend_smoothly(mesh, np.full((81, 1), 5.0), given_at)
    assert even == pytest.approx(np.full((81, 1), 5.0), rel=1e-3)
