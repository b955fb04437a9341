"""The search for patches against a plain comparison of windows."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.skin.patch_bank import PatchBank, has_room, valid_windows
from facecom.skin.synthetic_skin import synthetic_patches

RADIUS_MM = 1.5


@pytest.fixture(scope="module")
def patches():
    made = synthetic_patches(count=2, max_wavelength_mm=4.5, seed=3, half_mm=4.0)
    made.valid[1, :, :20] = False
    return made


def test_windows_are_valid_throughout(patches):
    reach = RADIUS_MM / patches.pixel_mm
    windows = valid_windows(patches, RADIUS_MM)
    size = patches.valid.shape[1]
    y, x = np.mgrid[:size, :size]
    for n, row, column in windows[::97].tolist():
        inside = np.hypot(y - row, x - column) <= reach
        assert patches.valid[n][inside].all()
        assert min(row, column, size - 1 - row, size - 1 - column) >= reach
    assert (windows[windows[:, 0] == 1][:, 2] >= 20 + reach).all()
    assert has_room(patches, RADIUS_MM) and not has_room(patches, 5.0)


def test_misfit_is_the_sum_of_squared_differences(patches):
    bank = PatchBank(patches, RADIUS_MM)
    half = int(np.ceil(RADIUS_MM / patches.pixel_mm))
    rng = np.random.default_rng(0)
    image = rng.normal(scale=0.02, size=(2 * half + 1,) * 2).astype(np.float32)
    grid = np.arange(-half, half + 1)
    mask = ((np.hypot(grid[:, None], grid[None]) <= half - 0.5) & (rng.random(image.shape) < 0.6)).astype(np.float32)
    got, relief = bank.misfit(image, mask), patches.bands.sum(1)
    for k in range(0, len(bank.windows), 211):
        n, y, x = bank.windows[k]
        window = relief[n, y - half : y + half + 1, x - half : x + half + 1]
        assert got[k] == pytest.approx(float((mask * (window - image) ** 2).sum()), rel=1e-3, abs=1e-6)


def test_the_best_window_of_its_own_image_is_itself(patches):
    bank = PatchBank(patches, RADIUS_MM)
    half = int(np.ceil(RADIUS_MM / patches.pixel_mm))
    n, y, x = bank.windows[len(bank.windows) // 3]
    own = patches.bands.sum(1)[n, y - half : y + half + 1, x - half : x + half + 1]
    assert bank.misfit(own, np.ones_like(own)).argmin() == len(bank.windows) // 3


def test_a_sample_at_pixels_is_what_they_hold(patches):
    bank = PatchBank(patches, RADIUS_MM)
    pick = len(bank.windows) // 2
    n, y, x = bank.windows[pick]
    steps = np.array([[0, 0], [3, 0], [0, -2], [-4, 5]])
    bands, log_power = bank.sample(pick, steps * patches.pixel_mm)
    at = (n, slice(None), y + steps[:, 1], x + steps[:, 0])
    assert np.allclose(bands, patches.bands[at], atol=1e-6)
    assert np.allclose(log_power, patches.log_power[at], atol=1e-4)
