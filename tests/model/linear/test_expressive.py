"""Person and expression apart: codes that come back, the derivative, and a fitted face that is relaxed."""

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.fitting.fit import fit
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.model.linear.generator import LinearGenerator
from facecom.model.sampling import sample_codes

SMILE = {"mouthSmile_L": 0.5, "mouthSmile_R": 0.5, "jawOpen": 0.25}


@pytest.fixture(scope="module")
def model():
    """A few modes of the shipped model: expressions among them are few."""
    whole = LinearGenerator.load()
    parts = {"modes": whole.modes[:25], "mode_odd": whole.mode_odd[:25], "fields": whole.fields[:3]}
    return ExpressiveGenerator(LinearGenerator(whole.template, field_odd=whole.field_odd[:3], description={}, **parts))


def test_person_and_expression_come_back_from_the_code(model):
    person = np.random.default_rng(0).normal(size=model.identity.code_size)
    code = model.compose(person, SMILE)
    back, weights = model.split(code)
    np.testing.assert_allclose(back, person)
    assert model.weights(code) == pytest.approx(SMILE)
    np.testing.assert_allclose(model.decode(model.relaxed(code), level=2), model.identity.decode(person, level=2))
    assert weights.sum() == pytest.approx(1.25)


def test_the_derivative_is_what_decode_does(model):
    code = 0.5 * np.random.default_rng(1).normal(size=model.code_size)
    for level in (0, 2):
        jacobian = model.jacobian(code, level=level)
        for entry in (0, 20, model.identity.code_size, model.code_size - 1):
            step = np.eye(model.code_size)[entry]
            difference = (model.decode(code + step, level=level) - model.decode(code - step, level=level)) / 2
            np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=1e-4)


def test_coarse_levels_are_the_first_vertices_of_the_fine_ones(model):
    code = model.compose(np.zeros(model.identity.code_size), SMILE)
    fine = model.decode(code, level=2)
    for level in (0, 1):
        coarse = model.decode(code, level=level)
        np.testing.assert_allclose(fine[: len(coarse)], coarse, atol=1e-9)
    assert model.decode(code, level=3).shape == model.template.vertices.shape


def test_a_smiling_face_is_fitted_and_relaxed(model):
    person = sample_codes(model, 1, seed=3)[0][: model.identity.code_size]
    smiling, rest = model.decode(model.compose(person, SMILE), level=2), model.identity.decode(person, level=2)
    found = fit(OrientedSurface(Mesh(smiling, model.faces(2))), model, Similarity())
    back = found.pose.inverse().apply(model.decode(model.relaxed(found.code), level=2))
    away = np.linalg.norm(smiling - rest, axis=1)
    moved = away > 2.0
    assert np.linalg.norm(back - rest, axis=1)[moved].mean() < 0.35 * away[moved].mean()
    assert sum(model.weights(found.code).get(name, 0.0) for name in SMILE) > 0.6


def test_random_faces_have_no_expression(model):
    codes = sample_codes(model, 2, seed=0)
    assert np.abs(codes[:, model.identity_size :]).max() == 0.0
    assert model.mean(1).vertices.shape == (model.template.counts[1], 3)


def test_what_does_not_fit_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="entries"):
        model.decode(np.zeros(3))
    with pytest.raises(ValueError, match="jawOpen"):
        model.compose(np.zeros(model.identity.code_size), {"grin": 1.0})
    with pytest.raises(ValueError, match="jawOpen"):
        ExpressionBasis.load().offset({"grin": 1.0})
    with pytest.raises(CheckpointError, match=r"model\.json"):
        ExpressionBasis.load(tmp_path)


def test_person_and_expression_of_a_face_are_both_encoded(model):
    person = np.random.default_rng(5).normal(size=model.identity.code_size)
    code = model.encode(model.decode(model.compose(person, SMILE), level=2))
    back, weights = model.split(code)
    np.testing.assert_allclose(back, person, atol=5e-3)
    np.testing.assert_allclose(weights, model.split(model.compose(person, SMILE))[1], atol=1e-3)
    assert model.weights(code) == pytest.approx(SMILE, abs=1e-3)
