"""Strips between two curves against a slow reference."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.stitching.strip_triangulation import shortest_strip


def least_cost(one: np.ndarray, two: np.ndarray) -> float:
    """Least sum of squared rungs between two chains, by plain recursion over all pairs."""
    total = ((one[:, None] - two) ** 2).sum(2)
    for i in range(len(one)):
        for j in range(len(two)):
            before = [total[i - 1, j]] * (i > 0) + [total[i, j - 1]] * (j > 0)
            total[i, j] += min(before, default=0.0)
    return float(total[-1, -1])


@given(n=st.integers(1, 12), m=st.integers(1, 12), seed=st.integers(0, 200))
def test_a_strip_steps_along_both_chains_and_is_the_shortest(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    i, j = shortest_strip(one, two)
    assert (i[0], j[0], i[-1], j[-1]) == (0, 0, n - 1, m - 1)
    assert (np.diff(i) + np.diff(j) == 1).all()
    assert ((one[i] - two[j]) ** 2).sum() == pytest.approx(least_cost(one, two))


def test_a_strip_between_long_chains_takes_little_memory() -> None:
    turn = np.linspace(0, 2 * np.pi, 900)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    tracemalloc.start()
    shortest_strip(ring, ring + [0.0, 0.0, 0.1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(turn) ** 2
