"""Colour maps and scales."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.drawing import colors
from facecom.provenance import Provenance
from facecom.report.display_data import PROVENANCE_COLORS, PROVENANCE_LABELS


def test_a_color_map_is_linear_between_its_anchors():
    values = np.linspace(-0.5, 1.5, 41)
    found = colors.color_values(values, colors.SEQUENTIAL, low=0.0, high=1.0)
    anchors = np.asarray(colors.SEQUENTIAL)
    for value, color in zip(values, found, strict=True):
        place = min(max(value, 0.0), 1.0) * (len(anchors) - 1)
        k = min(int(place), len(anchors) - 2)
        assert color == pytest.approx(anchors[k] + (place - k) * (anchors[k + 1] - anchors[k]), abs=1e-12)


def test_values_that_are_not_shown_are_grey_even_when_nan():
    found = colors.color_values([0.2, np.nan], colors.DIVERGING, low=-1, high=1, shown=[True, False])
    assert np.allclose(found[1], colors.NO_VALUE) and np.isfinite(found).all()


def test_the_sequential_map_is_told_apart_in_grey_print():
    grey = np.asarray(colors.SEQUENTIAL) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) < -0.1).all()


def test_an_empty_scale_is_refused():
    with pytest.raises(ValueError, match="high above low"):
        colors.color_values([0.0], colors.SEQUENTIAL, low=1.0, high=1.0)


@given(st.floats(1e-6, 1e6))
def test_a_rounded_value_is_the_next_of_the_series(value):
    found = colors.round_up(value)
    digit = found / 10.0 ** np.floor(np.log10(found) + 1e-9)
    assert min(abs(digit - k) for k in (1, 2, 5)) < 1e-6
    assert value <= found * (1 + 1e-6) and found < 2.5001 * value * (1 + 1e-6)


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=50))
def test_a_scale_ends_above_nearly_all_values(values):
    end = colors.scale_end(np.array(values))
    assert np.mean(np.array(values) <= end * (1 + 1e-9)) >= 0.9 or len(values) < 10
    assert end == colors.round_up(end)


def test_each_provenance_has_a_color_and_a_label_of_its_own():
    assert len(set(PROVENANCE_COLORS)) == len(PROVENANCE_COLORS) == len(Provenance)
    for kind in Provenance:
        assert PROVENANCE_LABELS[kind].startswith(kind.label)
        assert ("made up" in PROVENANCE_LABELS[kind]) == (kind != Provenance.OBSERVED)
        assert PROVENANCE_COLORS[kind] == getattr(colors, kind.name)


def test_the_scale_of_sigma_ends_above_nearly_all_that_is_made_up_however_little_that_is():
    sigma, provenance = np.full(10_000, 0.02), np.zeros(10_000, int)
    sigma[:50], provenance[:50] = np.linspace(0.1, 2.5, 50), 2
    assert colors.scale_end(sigma) < 0.1 < 2.4 < colors.sigma_scale_end(sigma, provenance) <= 5.0
    assert colors.sigma_scale_end(sigma, np.zeros(10_000, int)) == colors.scale_end(sigma)
