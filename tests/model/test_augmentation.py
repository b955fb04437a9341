"""Training faces: mixed, moved and scaled; a jaw that turns keeps its distance from the hinge."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.model.augmentation import (
    ABOVE_JAW_MM,
    JAW_HINGE,
    JAW_OPEN,
    AugmentationSettings,
    ExpressionModel,
    augmented_faces,
)
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.sampling import sample_codes
from facecom.model.template import FIT_LEVEL, Template

STILL = AugmentationSettings(size_sd=0.0, expression_sd=0.0, subtle_sd=0.0, blink_sd=0.0, jaw_sd=0.0)


@pytest.fixture(scope="module")
def moves():
    return ExpressionModel.from_basis(Template.load(), ExpressionBasis.load())


@pytest.fixture(scope="module")
def face():
    template = Template.load()
    return template.vertices[: template.counts[2]]


def weights_of(moves, **named):
    return np.array([named.get(name, 0.0) for name in moves.names])


def test_a_turned_jaw_keeps_its_distance_from_the_hinge(moves, face):
    turn_alone = replace(moves, modes=np.zeros_like(moves.modes))
    turned = turn_alone.apply(face, weights_of(moves, jawOpen=0.8))
    chin = Template.load().landmark_index("gnathion")
    assert np.linalg.norm(turned[chin] - face[chin]) > 15.0
    across = [np.linalg.norm((v - JAW_HINGE[0])[:, 1:], axis=1) for v in (turned, face)]
    np.testing.assert_allclose(*across, atol=1e-6)
    np.testing.assert_allclose(turned[:, 0], face[:, 0], atol=1e-9)


def test_a_little_opened_jaw_moves_as_the_expression_says(moves, face):
    expressions, template = ExpressionBasis.load(), Template.load()
    mode = expressions.modes[expressions.names.index(JAW_OPEN)]
    wanted = template.prolong(mode, from_level=FIT_LEVEL, to_level=2, scheme="loop")
    moved = (moves.apply(face, weights_of(moves, jawOpen=0.01)) - face) / 0.01
    # the skull stands still here; the expression had its motion taken out over the whole face
    still, gap = face[:, 1] > ABOVE_JAW_MM, moved - wanted
    axes = np.eye(3)
    turns = np.stack([np.cross(a, face) for a in axes] + [np.tile(a, (len(face), 1)) for a in axes])
    share = np.linalg.lstsq(turns.reshape(6, -1).T, gap.ravel(), rcond=None)[0]
    assert np.abs(gap - np.tensordot(share, turns, axes=1)).max() < 0.2
    assert np.abs(moved[still]).mean() < 0.25 * np.abs(moved[~still]).mean()


def test_faces_of_other_sources_are_mixed_in(face):
    model = LinearGenerator.load()
    other = np.full((1, *face.shape), 3.0, np.float32)
    settings = replace(STILL, displacement_share=1.0)
    made = augmented_faces(model, 2, seed=0, displacements=[other], settings=settings) - face
    sideways = np.abs(made[..., 0])  # half of the draws are mirrored
    np.testing.assert_allclose(made[..., 1:].mean(), 3.0, rtol=0.5)
    assert sideways.max() < 3.0 * np.sqrt(2.0) + 1e-3


def test_expressions_change_the_faces_and_the_seed_decides(face):
    model, moves = LinearGenerator.load(), ExpressionBasis.load()
    with_moves = augmented_faces(model, 2, seed=4, expressions=moves)
    np.testing.assert_array_equal(with_moves, augmented_faces(model, 2, seed=4, expressions=moves))
    quiet = augmented_faces(model, 2, seed=4, expressions=moves, settings=STILL)
    assert 0.05 < np.abs(with_moves - quiet).mean() < 6.0
    with pytest.raises(ValueError, match="negative"):
        augmented_faces(model, -1, seed=0)


def test_mixed_faces_depend_on_the_seed_and_leave_the_span_of_the_model(face):
    model = LinearGenerator.load()
    faces = augmented_faces(model, 3, seed=1)
    np.testing.assert_array_equal(faces, augmented_faces(model, 3, seed=1))
    flat = model.modes.reshape(len(model.modes), -1).astype(float)
    offset = (faces - face).reshape(3, -1).T
    left = offset - flat.T @ np.linalg.solve(flat @ flat.T, flat @ offset)
    assert 0.05 < np.sqrt((left**2).mean()) < 2.0
    assert model.decode(sample_codes(model, 1, seed=0)[0], level=2).shape == faces[0].shape
