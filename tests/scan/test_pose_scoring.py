"""The distance grid, scores and ICP steps of many poses at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.transform import rotation_from_vector
from facecom.scan import pose_scoring
from facecom.scan.pose_scoring import DistanceGrid, Poses, PoseScorer


def test_the_grid_names_a_sample_that_is_nearest_but_for_its_cells(samples):
    grid = DistanceGrid(samples, voxel_mm=4.0)
    places = np.random.default_rng(0).uniform(samples.points.min(0), samples.points.max(0), (500, 3))
    distance = np.linalg.norm(places[:, None] - samples.points, axis=2)
    named = distance[np.arange(500), grid.lookup(places)]
    assert (named <= distance.min(axis=1) + 2.0 * np.sqrt(3.0) * grid.voxel).all()


def test_an_icp_step_brings_a_pose_nearer(samples):
    grid = DistanceGrid(samples, voxel_mm=4.0)
    scorer = PoseScorer(grid, samples, pick=np.arange(len(samples.points)))
    poses = Poses(rotation_from_vector([0.08, -0.05, 0.06])[None], np.array([[3.0, -2.0, 4.0]]))
    errors, scores = [], []
    for _ in range(8):
        placed = samples.points @ poses.rotations[0].T + poses.translations[0]
        errors.append(np.linalg.norm(placed - samples.points, axis=1).mean())
        scores.append(scorer.score(poses, sigma_mm=5.0)[0])
        poses = scorer.icp_step(poses, sigma_mm=8.0)
    assert errors[-1] < 0.4 * errors[0]
    assert scores[-1] > scores[0] and scores[-1] > 0.9
    assert np.allclose(poses.rotations[0] @ poses.rotations[0].T, np.eye(3), atol=1e-9)


@given(st.integers(0, 10_000))
def test_rotations_are_those_of_one_vector_at_a_time(seed):
    vectors = np.random.default_rng(seed).normal(size=(5, 3)) * [[0.0], [1e-13], [1e-4], [1.0], [3.0]]
    expected = [rotation_from_vector(vector) for vector in vectors]
    assert np.allclose(pose_scoring._rotations(vectors), expected, atol=1e-12)


def test_scores_of_many_poses_are_those_of_one_at_a_time(samples, monkeypatch):
    monkeypatch.setattr(pose_scoring, "BATCH", 3)
    rng = np.random.default_rng(0)
    poses = Poses(np.array([rotation_from_vector(v) for v in rng.normal(size=(7, 3))]), rng.normal(size=(7, 3)) * 20)
    scorer = PoseScorer(DistanceGrid(samples, voxel_mm=4.0), samples, pick=np.arange(0, len(samples.points), 3))
    single = [scorer.score(poses[np.array([k])], sigma_mm=10.0)[0] for k in range(7)]
    np.testing.assert_allclose(scorer.score(poses, sigma_mm=10.0), single, rtol=1e-5)
