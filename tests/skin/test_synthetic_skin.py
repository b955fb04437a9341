"""Synthetic skin is marked, repeatable and skewed."""

from __future__ import annotations

import numpy as np

from facecom.skin.synthetic_skin import synthetic_patches


def test_synthetic_skin_is_marked_repeatable_and_negatively_skewed():
    height_patches = synthetic_patches(count=4, max_wavelength_mm=4.5, seed=1)
    relief_image = height_patches.bands.sum(1)
    assert not height_patches.from_scan
    assert ((relief_image - relief_image.mean()) ** 3).mean() < 0
    again = synthetic_patches(count=4, max_wavelength_mm=4.5, seed=1)
    assert np.array_equal(height_patches.bands, again.bands)
