"""Poses of oriented points: samples, the distance grid, ICP steps and what counts as one pose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.errors import AlignmentError
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.scan import pose_search
from facecom.scan.pose_search import AlignSettings, farthest_points, oriented_samples, search

SETTINGS = AlignSettings()


@pytest.fixture(scope="module")
def bump(sheet) -> Mesh:
    """A sheet of 120 mm with two bumps, which no motion but none takes onto itself."""
    flat = sheet(40, 40)
    x, y = (flat.vertices[:, :2] * 3.0 - 60.0).T
    z = 45 * np.exp(-(x**2 + 0.5 * y**2) / 700) + 18 * np.exp(-((x - 35) ** 2 + (y + 20) ** 2) / 120) - 0.004 * x**2
    return flat.with_vertices(np.stack([x, y, z], 1))


@pytest.fixture(scope="module")
def samples(bump):
    return oriented_samples(bump, SETTINGS)


def test_samples_lie_on_the_surface_and_their_normals_are_its_own(bump, samples):
    near = np.linalg.norm(samples.points[:, None] - bump.vertices, axis=2)
    assert near.min(axis=1).max() < SETTINGS.voxel_mm
    own = vertex_normals(bump.vertices, bump.faces)[near.argmin(axis=1)]
    assert np.einsum("nd,nd->n", own, samples.normals).min() > 0.8
    assert np.allclose(np.linalg.norm(samples.smooth_normals, axis=1), 1.0)


def test_flipped_samples_have_opposite_normals(bump, samples):
    flipped = oriented_samples(bump, SETTINGS, flip=True)
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


def test_the_grid_names_a_sample_that_is_nearest_but_for_its_cells(samples):
    grid = pose_search._Grid(samples, voxel_mm=4.0)
    places = np.random.default_rng(0).uniform(samples.points.min(0), samples.points.max(0), (500, 3))
    distance = np.linalg.norm(places[:, None] - samples.points, axis=2)
    named = distance[np.arange(500), grid.lookup(places)]
    assert (named <= distance.min(axis=1) + 2.0 * np.sqrt(3.0) * grid.voxel).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_pose_that_moved_a_surface_is_found(bump, samples, seed):
    rng = np.random.default_rng(seed)
    motion = Similarity(rotation_from_vector(rng.normal(size=3) * 1.5), rng.normal(size=3) * 60.0)
    there = oriented_samples(bump.with_vertices(motion.apply(bump.vertices)), SETTINGS)
    rotation, translation, score = search(there, samples, SETTINGS)[0]
    errors = samples.points @ rotation.T + translation - motion.apply(samples.points)
    assert np.linalg.norm(errors, axis=1).max() < 4.0
    assert 0.8 < score <= 1.0


def test_an_icp_step_brings_a_pose_nearer(samples):
    grid = pose_search._Grid(samples, voxel_mm=4.0)
    every = np.arange(len(samples.points))
    rotation, translation = rotation_from_vector([0.08, -0.05, 0.06])[None], np.array([[3.0, -2.0, 4.0]])
    errors = []
    for _ in range(8):
        placed = samples.points @ rotation[0].T + translation[0]
        errors.append(np.linalg.norm(placed - samples.points, axis=1).mean())
        rotation, translation = pose_search._icp_step(grid, samples, every, rotation, translation, 8.0)
    assert errors[-1] < 0.4 * errors[0]
    assert np.allclose(rotation[0] @ rotation[0].T, np.eye(3), atol=1e-9)


@given(st.integers(0, 10_000))
def test_rotations_are_those_of_one_vector_at_a_time(seed):
    vectors = np.random.default_rng(seed).normal(size=(5, 3)) * [[0.0], [1e-13], [1e-4], [1.0], [3.0]]
    expected = [rotation_from_vector(vector) for vector in vectors]
    assert np.allclose(pose_search._rotations(vectors), expected, atol=1e-12)


def test_poses_a_few_degrees_and_millimetres_apart_are_one():
    vectors = [[0, 0, 0], [0.1, 0, 0], [0.5, 0, 0], [0, 0, 0], [0.5, 0.1, 0]]
    rotations = np.array([rotation_from_vector(vector) for vector in vectors])
    translations = np.array([[0.0, 0, 0], [5, 0, 0], [0, 0, 0], [0, 30, 0], [0, 0, 8]])
    scores = np.array([0.9, 0.8, 0.5, 0.4, 0.6])
    assert pose_search._distinct(rotations, translations, scores, count=9).tolist() == [0, 4, 3]
    assert pose_search._distinct(rotations, translations, scores, count=2).tolist() == [0, 4]


def test_a_scan_far_too_small_is_refused(sheet, samples):
    crumb = oriented_samples(sheet(4, 4), SETTINGS)
    with pytest.raises(AlignmentError, match="smaller than 432 mm2"):
        search(crumb, samples, SETTINGS)
