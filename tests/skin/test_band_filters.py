"""Filters that split relief into bands."""

from __future__ import annotations

import numpy as np

from facecom.skin.band_filters import (
    gaussian_sigma,
    masked_blur,
    quadratic_preserving_blur,
    quadratic_preserving_sigma,
    split_bands,
)


def test_bands_add_up_to_the_relief():
    image = np.random.default_rng(0).normal(size=(2, 60, 60)).astype(np.float32)
    weight = np.ones_like(image)
    bands = split_bands(image, weight, pixel_mm=0.125, max_wavelength_mm=4.5)
    base_offset = quadratic_preserving_blur(image, weight, quadratic_preserving_sigma(4.5) / 0.125)
    assert np.allclose(bands.sum(1), image - base_offset, atol=1e-5)


def test_no_curvature_is_taken_for_relief(grid):
    vertices, faces = grid(9.0, 0.3)
    # a bowl of 10 mm, as the tip of a nose
    height = (vertices[:, :2] ** 2).sum(1).reshape(61, 61)[None].astype(np.float32) / 20
    bands = split_bands(height, np.ones_like(height), pixel_mm=0.3, max_wavelength_mm=4.5)
    assert np.abs(bands[..., 20:-20, 20:-20]).max() < 0.002
    plain = height - masked_blur(height, np.ones_like(height), gaussian_sigma(4.5) / 0.3)
    assert np.abs(plain[..., 20:-20, 20:-20]).max() > 0.05
