"""Minimum cuts against all cuts of small graphs."""

import itertools

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.minimum_cut import source_side


def cost(capacity: np.ndarray, side: np.ndarray) -> int:
    return int(capacity[side][:, ~side].sum())


@given(st.integers(0, 10_000))
def test_no_cut_costs_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacity = rng.integers(0, 9, (6, 6)) * (rng.random((6, 6)) < 0.6)
    np.fill_diagonal(capacity, 0)
    side = source_side(sp.csr_matrix(capacity.astype(np.int32)), 0, 5)
    all_cuts = [np.array([True, *inner, False]) for inner in itertools.product([False, True], repeat=4)]
    cheapest = min(cost(capacity, other) for other in all_cuts)
    assert side[0] and not side[5]
    assert cost(capacity, side) == cheapest
    assert side.sum() == min(other.sum() for other in all_cuts if cost(capacity, other) == cheapest)
