"""Withdrawal axes: undercuts, the search for an axis, and what is refused."""

import numpy as np
import pytest

from facecom.prosthesis.shell.axis import choose_axis


def test_impossible_axes_are_refused_with_a_sentence(built):
    outer = built.shell.outer.mesh
    for axis in ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0), "sideways"):
        with pytest.raises(ValueError, match="axis|taken off"):
            choose_axis(outer, None, np.array([0.0, 0.0, 1.0]), given=axis)
