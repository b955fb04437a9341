"""Expressions: linear in their weights, kept in 16 bits, and refused by name."""

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.model.expressions import ExpressionBasis


@pytest.fixture(scope="module")
def expressions():
    return ExpressionBasis.load()


def test_offsets_add_up_and_scale_with_their_weights(expressions):
    jaw, smile = expressions.offset({"jawOpen": 0.4}), expressions.offset({"mouthSmile_L": 0.5})
    np.testing.assert_allclose(expressions.offset({"jawOpen": 0.4, "mouthSmile_L": 0.5}), jaw + smile, atol=1e-12)
    np.testing.assert_allclose(expressions.offset({"jawOpen": 0.8}), 2 * jaw, atol=1e-12)
    assert np.abs(expressions.offset({})).max() == 0.0


def test_what_is_saved_comes_back_to_the_last_of_sixteen_bits(expressions, tmp_path):
    expressions.save(tmp_path)
    back = ExpressionBasis.load(tmp_path)
    assert back.names == expressions.names
    step = np.abs(expressions.modes).max(axis=(1, 2)) / 32767
    assert np.all(np.abs(back.modes - expressions.modes).max(axis=(1, 2)) <= 0.51 * step)


def test_what_does_not_fit_is_refused(expressions, tmp_path):
    with pytest.raises(ValueError, match="no expression 'grin'; there are .*jawOpen"):
        expressions.offset({"grin": 1.0})
    with pytest.raises(ValueError, match="2 names"):
        ExpressionBasis(("a", "b"), np.zeros((1, 4, 3)))
    with pytest.raises(CheckpointError, match=r"model\.json"):
        ExpressionBasis.load(tmp_path)
