"""A population in another frame and topology comes onto the template as what it was."""

import numpy as np
import pytest

from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL
from training.carrying import SmoothFill
from training.measured_heads import MeasuredHeads, carried, flame

PROPER_MM = 70.0


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def population(model):
    """Three modes of the shipped model on its finest level, turned and moved."""
    pose = Similarity(rotation_from_vector([0.3, -0.4, 0.2]), [12.0, -30.0, 55.0])
    mean = model.mean(FINEST_LEVEL)
    codes = np.eye(model.code_size)[:3]
    modes = model.decode(codes, level=FINEST_LEVEL) - mean.vertices
    return MeasuredHeads("drawn", pose.apply(mean.vertices), modes @ pose.rotation.T, mean.faces, "ourselves")


@pytest.mark.slow
def test_modes_come_back_whatever_frame_and_topology_they_had(model, population):
    found = carried(population, model.template)
    count = model.template.counts[SHAPE_LEVEL]
    base = model.template.vertices[:count]
    proper = np.linalg.norm(base - [0, 10, -30], axis=1) < PROPER_MM
    assert np.abs(found.mean - base)[proper].mean() < 0.1
    truth = model.modes[:3]
    left = np.abs(found.modes - truth)[:, proper].mean() / np.abs(truth)[:, proper].mean()
    assert left < 0.1


def test_what_has_no_place_moves_with_what_is_around_it(model):
    template = model.template
    count = template.counts[SHAPE_LEVEL]
    base = template.vertices[:count]
    sure = np.linalg.norm(base - base[base[:, 2].argmax()], axis=1) > 6.0
    moved = base * 0.02 + [1.0, 2.0, 3.0]
    spoilt = moved.copy()
    spoilt[~sure] = 1e3
    filled = SmoothFill(template, sure)(spoilt)
    np.testing.assert_array_equal(filled[sure], moved[sure])
    assert np.abs(filled - moved)[~sure].max() < 0.05


def test_the_skin_is_the_largest_part(tmp_path, icosphere):
    skin, ball = icosphere(3), icosphere(1)
    mean = np.concatenate([skin.vertices, ball.vertices]).astype(np.float32)
    faces = np.concatenate([ball.faces + len(skin.vertices), skin.faces]).astype(np.int32)
    np.savez(tmp_path / "heads.npz", mean=mean, modes=np.zeros((2, *mean.shape), np.float32), triangles=faces)
    np.testing.assert_array_equal(flame(tmp_path / "heads.npz").faces, skin.faces)
