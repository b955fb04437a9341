"""Rasterised relief and the seam between two patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.skin.patch_seams import blend_weights, rasterize

HALF, PIXEL = 12, 0.125


@pytest.fixture(scope="module")
def offsets():
    at = np.arange(-HALF, HALF + 1) * PIXEL
    x, y = np.meshgrid(at, at)
    points = np.stack([x.ravel(), y.ravel()], 1)
    return points[np.hypot(*points.T) <= HALF * PIXEL]


@given(seed=st.integers(0, 1000))
def test_values_at_pixels_are_drawn_as_they_are_and_gaps_are_filled(seed, offsets):
    rng = np.random.default_rng(seed)
    values, shown = rng.normal(size=len(offsets)), rng.random(len(offsets)) < 0.6
    image, mask = rasterize(offsets[shown], values[shown], half=HALF, pixel=PIXEL)
    at = np.rint(offsets[shown] / PIXEL).astype(int) + HALF
    assert np.allclose(image[at[:, 1], at[:, 0]], values[shown], atol=1e-6)
    inner = np.hypot(*offsets.T) < (HALF - 2) * PIXEL
    at = np.rint(offsets[inner] / PIXEL).astype(int) + HALF
    assert mask[at[:, 1], at[:, 0]].mean() > 0.9
    assert image.min() >= values.min() - 1e-6 and image.max() <= values.max() + 1e-6


def weights_of(offsets, covered, new, old):
    image, _ = rasterize(offsets[covered], old[covered], half=HALF, pixel=PIXEL)
    return blend_weights(offsets, covered, new, image=image, half=HALF, pixel=PIXEL, feather=0.1)


def test_what_nothing_covers_is_all_new_and_the_outer_ring_of_what_lay_there_stays(offsets):
    nothing = np.zeros(len(offsets))
    covered = offsets[:, 0] < 0
    share = weights_of(offsets, covered, nothing, nothing)
    assert (share[~covered] == 1).all()
    assert share.min() >= 0 and share.max() <= 1
    outer = covered & (np.hypot(*offsets.T) > (HALF - 1) * PIXEL) & (offsets[:, 0] < -0.5)
    assert share[outer].max() < 0.1
    assert (weights_of(offsets, nothing > 0, nothing, nothing) == 1).all()


def test_the_seam_runs_where_both_agree(offsets):
    covered = offsets[:, 0] < 0.5
    for agree in (-0.3, 0.0, 0.2):
        differs = np.abs(offsets[:, 0] - agree) > 0.2
        share = weights_of(offsets, covered, 0.05 * differs, np.zeros(len(offsets)))
        middle = covered & (np.abs(offsets[:, 1]) < 0.6)
        assert share[middle & (offsets[:, 0] < agree - 0.5)].max(initial=0.0) < 0.1
        assert share[middle & (offsets[:, 0] > agree + 0.5)].min(initial=1.0) > 0.9
