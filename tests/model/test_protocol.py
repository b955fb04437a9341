"""What every face model promises: mean, samples, and codes of given faces."""

import numpy as np
import pytest

from facecom.model.linear.generator import LinearGenerator
from facecom.model.sampling import sample_meshes
from facecom.model.template import COARSEST_LEVEL, FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL

KINDS = (
    "linear",
    "network",
    "transferred",
    *(pytest.param(k, marks=pytest.mark.slow) for k in ("facecom", "expressive")),
)
LINEAR = ("linear", "transferred", "expressive")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind, small_model, leading_model):
    return leading_model(12, 5) if kind == "linear" else small_model(kind)


def test_the_mean_is_the_face_of_the_zero_code(model):
    for level in (COARSEST_LEVEL, FINEST_LEVEL):
        mean = model.mean(level)
        np.testing.assert_allclose(mean.vertices, model.decode(np.zeros(model.code_size), level=level), atol=1e-4)
        np.testing.assert_array_equal(mean.faces, model.faces(level))


def test_a_sample_is_the_first_of_many_and_depends_on_the_seed_alone(model):
    drawn = model.sample(5, level=FIT_LEVEL)
    wanted = sample_meshes(model, 2, seed=5, level=FIT_LEVEL)[0]
    np.testing.assert_array_equal(drawn.vertices, wanted.vertices)
    np.testing.assert_array_equal(drawn.faces, wanted.faces)
    assert np.abs(drawn.vertices - model.sample(6, level=FIT_LEVEL).vertices).max() > 0.5


@pytest.mark.parametrize("level", [SHAPE_LEVEL, FINEST_LEVEL])
def test_a_decoded_code_comes_back(model, kind, level):
    """To a thousandth of a standard deviation where the model is linear, else to hundredths of a millimetre."""
    code = np.random.default_rng(3).normal(size=model.code_size)
    found = model.encode(model.decode(code, level=level))
    away = model.decode(found, level=SHAPE_LEVEL) - model.decode(code, level=SHAPE_LEVEL)
    assert np.abs(away).max() < (1e-3 if kind in LINEAR else 0.01)
    if kind in LINEAR:
        np.testing.assert_allclose(found, code, atol=2e-3)


def test_a_face_beyond_the_model_is_encoded_by_what_is_nearest(model):
    """No small change of the code brings the face nearer."""
    face = LinearGenerator.load().sample(9, level=SHAPE_LEVEL).vertices
    code = model.encode(face)
    best = np.sum((model.decode(code, level=SHAPE_LEVEL) - face) ** 2)
    assert best < 0.8 * np.sum((model.decode(0 * code, level=SHAPE_LEVEL) - face) ** 2)
    for entry in (0, model.code_size - 1):
        for step in (-0.05, 0.05):
            other = model.decode(code + step * np.eye(model.code_size)[entry], level=SHAPE_LEVEL)
            assert np.sum((other - face) ** 2) > best


@pytest.mark.parametrize("count", [0, 10, 784, 3083])
def test_vertices_of_another_level_are_refused(model, count):
    with pytest.raises(ValueError, match="expected 12229 or 48713 vertices"):
        model.encode(np.zeros((count, 3)))
