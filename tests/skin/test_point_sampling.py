"""Greedy choice of points against a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.skin.point_sampling import min_distance_subset


@given(seed=st.integers(0, 1000), spacing=st.floats(0.05, 0.6))
def test_the_choice_is_that_of_a_plain_loop(seed, spacing):
    rng = np.random.default_rng(seed)
    points = rng.random((60, 3))
    order = rng.permutation(60)[:40]
    chosen: list[int] = []
    for k in order.tolist():
        if all(np.linalg.norm(points[k] - points[other]) > spacing for other in chosen):
            chosen.append(k)
    assert min_distance_subset(points, spacing, order).tolist() == chosen


def test_of_no_candidates_none_is_chosen():
    assert len(min_distance_subset(np.zeros((3, 3)), 1.0, np.zeros(0, int))) == 0
