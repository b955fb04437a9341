"""Least squares for a code, against the solution of the stacked system, and vertices brought to the level of modes."""

import numpy as np
import pytest

from facecom.model.encoding import CHUNK_ROWS, encode, gram_matrix, to_shape_level
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL


@pytest.fixture(scope="module")
def model(leading_model):
    return leading_model(6, 3)


@pytest.mark.parametrize("sigma_mm", [0.01, 1.0, 300.0])
def test_the_code_solves_the_stacked_least_squares_system(model, sigma_mm):
    face = model.mean(SHAPE_LEVEL).vertices + np.random.default_rng(0).normal(size=(12229, 3))
    jacobian = model.jacobian(np.zeros(9), level=SHAPE_LEVEL).astype(float)
    rows = np.concatenate([jacobian / sigma_mm, np.eye(9)])
    values = np.concatenate([(face - model.mean(SHAPE_LEVEL).vertices).ravel() / sigma_mm, np.zeros(9)])
    expected = np.linalg.lstsq(rows, values, rcond=None)[0]
    np.testing.assert_allclose(encode(model, face, sigma_mm=sigma_mm), expected, atol=1e-6)
    np.testing.assert_allclose(model.encode(face, sigma_mm=sigma_mm), expected, atol=1e-6)


def test_the_prior_decides_where_vertices_are_hardly_known(model):
    face = model.sample(2, level=SHAPE_LEVEL).vertices
    lengths = [np.linalg.norm(encode(model, face, sigma_mm=sigma)) for sigma in (0.01, 100.0, 10_000.0)]
    assert lengths[0] > 1.2 * lengths[1] > 12.0 * lengths[2]


def test_neither_start_nor_more_steps_change_what_one_finds_of_a_linear_model(model):
    face = model.sample(4, level=SHAPE_LEVEL).vertices
    np.testing.assert_allclose(encode(model, face, steps=4), encode(model, face), atol=1e-4)
    for sigma_mm in (0.01, 300.0):
        from_ones = encode(model, face, start=np.ones(9), sigma_mm=sigma_mm)
        np.testing.assert_allclose(from_ones, encode(model, face, sigma_mm=sigma_mm), atol=1e-4)


def test_the_gram_matrix_is_that_of_double_precision():
    jacobian = np.random.default_rng(1).normal(size=(2 * CHUNK_ROWS + 7, 5)).astype(np.float32)
    np.testing.assert_allclose(gram_matrix(jacobian), jacobian.astype(float).T @ jacobian.astype(float), rtol=1e-12)


def test_finest_vertices_are_brought_to_the_level_below_exactly_where_they_came_from_it(model):
    template = model.template
    coarse = np.random.default_rng(2).normal(size=(template.counts[SHAPE_LEVEL], 3))
    offset = template.prolong(coarse, from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL, scheme="loop")
    found = to_shape_level(template, template.vertices + offset)
    np.testing.assert_allclose(found - template.vertices[: len(coarse)], coarse, atol=1e-8)
    assert to_shape_level(template, coarse) is coarse
