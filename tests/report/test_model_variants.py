"""Linear models without one of their parts."""

import numpy as np
import pytest

from facecom.report.model_variants import independent_sides, size_modes_only, symmetric_modes_only, without_discrepancy


@pytest.fixture
def model(small_model):
    return small_model


def covariance(model, points):
    rows = model.jacobian(np.zeros(model.code_size), level=1).reshape(model.template.counts[1], 3, -1)[points]
    rows = rows.reshape(3 * len(points), -1)
    return rows @ rows.T


def test_sides_apart_keeps_each_side_and_forgets_the_other(model):
    template = model.template
    left = np.flatnonzero(template.vertices[: template.counts[1], 0] > 10)[::150]
    right = template.mirror[left]
    apart = independent_sides(model)
    for points in (left, right):
        assert covariance(apart, points) == pytest.approx(covariance(model, points), abs=1e-3)
    both = np.concatenate([left, right])
    across = covariance(apart, both)[: 3 * len(left), 3 * len(left) :]
    assert np.abs(across).max() < 1e-3 * np.abs(covariance(model, left)).max()
    assert np.abs(covariance(model, both)[: 3 * len(left), 3 * len(left) :]).max() > 1


def test_other_models_lack_what_their_name_says(model):
    code = np.random.default_rng(1).normal(size=symmetric_modes_only(model).code_size)
    vertices = symmetric_modes_only(model).decode(code, level=2)
    mirror = model.template.mirror[: len(vertices)]
    assert vertices == pytest.approx(vertices[mirror] * [-1, 1, 1], abs=1e-3)
    bare = without_discrepancy(model)
    assert bare.code_size == model.identity_size
    for level in (1, 2):  # pictures are taken in on level 2
        assert bare.jacobian(np.zeros(bare.code_size), level=level).shape[1] == bare.code_size
    stretched = size_modes_only(without_discrepancy(model)).decode(np.array([2.0, 0.0, 0.0]), level=1)
    mean = model.template.vertices[: len(stretched)]
    assert stretched[:, 1:] == pytest.approx(mean[:, 1:], abs=1e-3)
    assert np.ptp(stretched[:, 0]) > 1.05 * np.ptp(mean[:, 0])
