"""Made relief gets the skewness of skin and meets what is observed."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.skin.quilting import QuiltTarget
from facecom.skin.relief_adjustment import skewness_offset


def test_the_change_reaches_the_wanted_skewness_and_leaves_the_observed_alone():
    generator = np.random.default_rng(0)
    points = np.c_[generator.uniform(-5, 5, (4000, 2)), np.zeros(4000)]
    observed = points[:, 0] > 0
    values = 0.02 * generator.normal(size=4000)
    target = QuiltTarget(
        points,
        np.tile([0.0, 0, 1], (4000, 1)),
        observed,
        values,
        -points[:, 0],
        np.full((4000, 4), np.log(0.02**2 / 3)),
        np.zeros((4000, 2)),
    )
    change = skewness_offset(values, target, wanted=-0.3)
    assert not change[observed].any()
    made = (values + change)[~observed]
    skewness = ((made - made.mean()) ** 3).mean() / made.std() ** 3
    assert skewness == pytest.approx(-0.3, abs=0.1)
