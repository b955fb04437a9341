"""The search for poses: that a known one is found, and what counts as one pose."""

import numpy as np
import pytest

from facecom.errors import AlignmentError
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.scan.pose_scoring import Poses
from facecom.scan.pose_search import AlignSettings, _distinct, search


@pytest.mark.parametrize("seed", range(3))
def test_the_pose_that_moved_a_surface_is_found(bump, samples, sampled, seed):
    rng = np.random.default_rng(seed)
    motion = Similarity(rotation_from_vector(rng.normal(size=3) * 1.5), rng.normal(size=3) * 60.0)
    there = sampled(bump.with_vertices(motion.apply(bump.vertices)))
    poses, scores = search(there, samples, AlignSettings())
    errors = samples.points @ poses.rotations[0].T + poses.translations[0] - motion.apply(samples.points)
    assert np.linalg.norm(errors, axis=1).max() < 4.0
    assert 0.8 < scores[0] <= 1.0
    assert (np.diff(scores) <= 0).all()


def test_poses_a_few_degrees_and_millimetres_apart_are_one():
    vectors = [[0, 0, 0], [0.1, 0, 0], [0.5, 0, 0], [0, 0, 0], [0.5, 0.1, 0]]
    rotations = np.array([rotation_from_vector(vector) for vector in vectors])
    translations = np.array([[0.0, 0, 0], [5, 0, 0], [0, 0, 0], [0, 30, 0], [0, 0, 8]])
    poses = Poses(rotations, translations)
    scores = np.array([0.9, 0.8, 0.5, 0.4, 0.6])
    assert _distinct(poses, scores, count=9).tolist() == [0, 4, 3]
    assert _distinct(poses, scores, count=2).tolist() == [0, 4]


def test_a_scan_far_too_small_is_refused(sheet, samples, sampled):
    crumb = sampled(sheet(4, 4))
    with pytest.raises(AlignmentError, match="smaller than 432 mm2"):
        search(crumb, samples, AlignSettings())
