"""Minimum cuts against all cuts of small graphs."""

import itertools

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.minimum_cut import cheapest_labels, source_side


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


@given(st.integers(0, 10_000))
def test_no_labels_cost_less(seed: int) -> None:
    """Against all labellings of five nodes, of which the pairs are random."""
    rng = np.random.default_rng(seed)
    pairs = np.array([pair for pair in itertools.combinations(range(5), 2) if rng.random() < 0.6]).reshape(-1, 2)
    cut, if_false, if_true = (rng.integers(0, 9, n).astype(float) for n in (len(pairs), 5, 5))

    def total(labels: np.ndarray) -> float:
        parted = labels[pairs[:, 0]] != labels[pairs[:, 1]]
        return float(cut @ parted + np.where(labels, if_true, if_false).sum())

    found = cheapest_labels(pairs, cut, if_false=if_false, if_true=if_true)
    every = [np.array(labels) for labels in itertools.product([False, True], repeat=5)]
    assert total(found) == min(total(labels) for labels in every)
    assert found.sum() == min(labels.sum() for labels in every if total(labels) == total(found))
