import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facecom.geometry import weld as module
from facecom.geometry.weld import identical_rows, weld


@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.sampled_from([0.0, -0.0, 1.0, 1e-300]))
)
def test_welding_agrees_with_a_slow_reference(positions):
    first, group = weld(positions)
    seen: dict[tuple[float, ...], int] = {}
    expected = [seen.setdefault(tuple(row), k) for k, row in enumerate((positions + 0.0).tolist())]
    assert first[group].tolist() == expected
    assert first.tolist() == sorted(set(expected))


@pytest.mark.parametrize("factors", [[0, 0, 0], [1, 0, 0]])
def test_rows_whose_keys_meet_by_chance_are_told_apart(monkeypatch, factors):
    rows = np.random.default_rng(0).integers(0, 3, (200, 3))
    expected = identical_rows(rows)
    monkeypatch.setattr(module, "_HASH_FACTORS", np.array(factors, np.uint64))
    for found, right in zip(identical_rows(rows), expected, strict=True):
        assert np.array_equal(found, right)


def test_no_rows_are_no_groups():
    assert [len(a) for a in identical_rows(np.zeros((0, 3)))] == [0, 0]
