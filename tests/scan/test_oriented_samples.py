"""Oriented samples of a surface and points spread over it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import vertex_normals
from facecom.scan.oriented_samples import farthest_points


def test_samples_lie_on_the_surface_and_their_normals_are_its_own(bump, samples):
    near = np.linalg.norm(samples.points[:, None] - bump.vertices, axis=2)
    assert near.min(axis=1).max() < 6.0
    own = vertex_normals(bump.vertices, bump.faces)[near.argmin(axis=1)]
    assert np.einsum("nd,nd->n", own, samples.normals).min() > 0.8
    assert np.allclose(np.linalg.norm(samples.smooth_normals, axis=1), 1.0)


def test_flipped_samples_have_opposite_normals(bump, samples, sampled):
    flipped = sampled(bump, flip=True)
    assert np.array_equal(flipped.points, samples.points)
    assert np.allclose(flipped.normals, -samples.normals)


def test_points_with_relief_weigh_more(samples):
    top = np.argmin(np.linalg.norm(samples.points - [0.0, 0.0, 45.0], axis=1))
    assert samples.weights[top] > 2.0 * np.median(samples.weights)
    assert samples.weights.min() >= 0.2


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_farthest_points_are_those_of_a_slow_loop(seed, count):
    points = np.random.default_rng(seed).normal(size=(10, 3))
    chosen = [int(np.argmin(np.linalg.norm(points - points.mean(0), axis=1)))]
    while len(chosen) < min(count, 10):
        chosen.append(int(np.argmax(np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1))))
    assert farthest_points(points, count).tolist() == chosen
