"""Noise is told from skin."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.skin.noise_bands import (
    band_wavelengths,
    estimate_white_noise,
    local_spacing,
    noise_power,
    report_bands,
)
from facecom.skin.synthetic_skin import synthetic_patches


def test_white_noise_is_found_and_skin_is_not_called_noise():
    wavelengths = band_wavelengths(4.5)
    resolved = np.ones(4, bool)
    noise = noise_power(0.03, 0.15, wavelengths)
    skin = np.array([4.0, 5.0, 8.0, 9.0]) ** 2 * 1e-6
    assert estimate_white_noise(skin, resolved, spacing_mm=0.15, wavelengths=wavelengths) == 0
    assert estimate_white_noise(noise + skin, resolved, spacing_mm=0.15, wavelengths=wavelengths) == pytest.approx(
        0.03, rel=0.1
    )


def test_noise_power_is_what_a_noisy_sheet_shows(grid, height_patches_of):
    vertices, faces = grid(9.0, 0.3)
    vertices[:, 2] = np.random.default_rng(0).normal(scale=0.05, size=len(vertices))
    shown = height_patches_of(vertices, faces).bands.std((0, 2, 3))
    spacing = local_spacing(Mesh(vertices, faces), np.arange(len(faces)))
    expected = np.sqrt(noise_power(0.05, spacing, band_wavelengths(4.5)))
    assert np.abs(20 * np.log10(shown[1:] / expected[1:])).max() < 2.0


@pytest.mark.parametrize(("rms_mm", "usable"), [(0.015, True), (0.08, True), (0.2, False)])
def test_what_is_rougher_than_skin_is_not_used(rms_mm, usable):
    skin = synthetic_patches(count=3, max_wavelength_mm=4.5, seed=0, rms_mm=rms_mm)
    report = report_bands(skin, spacing_mm=0.1, max_wavelength_mm=4.5)
    assert report.usable.any() == usable
    assert report.resolved.all()


def test_no_band_is_used_that_the_spacing_does_not_carry():
    skin = synthetic_patches(count=3, max_wavelength_mm=4.5, seed=0)
    for spacing in (0.1, 0.7, 1.5, 3.0):
        report = report_bands(skin, spacing_mm=spacing, max_wavelength_mm=4.5)
        assert not report.usable[report.wavelengths_mm[:, 1] < spacing].any()
        assert report.usable.any() == (spacing < 0.39 * 4.5)
