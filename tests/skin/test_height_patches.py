"""Height maps of skin on sheets of known relief."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.mark.parametrize(("wavelength", "band"), [(0.45, 0), (0.85, 1), (1.7, 2), (3.3, 3)])
def test_a_wave_is_strongest_in_its_own_band(wavelength, band, grid, height_patches_of):
    vertices, faces = grid(9.0, 0.1)
    vertices[:, 2] = 0.01 * np.sin(2 * np.pi / wavelength * vertices[:, 0]) + 0.1 * vertices[:, 1]
    height_patches = height_patches_of(vertices, faces)
    assert height_patches.log_power[0, :, 48, 48].argmax() == band


def test_a_tilted_bent_sheet_has_no_relief(grid, height_patches_of):
    vertices, faces = grid(9.0, 0.3)
    vertices[:, 2] = 0.2 * vertices[:, 0] + vertices[:, 1] ** 2 / 60
    assert np.abs(height_patches_of(vertices, faces).bands.sum(1)).max() < 0.004


def test_steps_and_gaps_are_not_skin(grid, height_patches_of):
    vertices, faces = grid(9.0, 0.2)
    stepped = vertices + np.c_[0 * vertices[:, :2], 1.5 * (vertices[:, 0] > 2)]
    assert not height_patches_of(stepped, faces).valid[0, :, 62:66].any()
    hole = np.linalg.norm(vertices[:, :2], axis=1) < 1.0
    height_patches = height_patches_of(vertices, faces[~hole[faces].any(1)])
    assert not height_patches.valid[0, 48, 48] and height_patches.valid[0, 48, 80]


def test_a_mirrored_map_is_the_map_flipped(grid, height_patches_of):
    vertices, faces = grid(9.0, 0.15)
    rough = gaussian_filter(np.random.default_rng(1).normal(size=(121, 121)), 2).ravel()
    vertices[:, 2] = 0.05 * rough
    height_patches = height_patches_of(vertices, faces, mirrored=[False, True])
    assert np.array_equal(height_patches.bands[0][..., ::-1], height_patches.bands[1])
    assert np.array_equal(height_patches.points[0][:, ::-1], height_patches.points[1])


@pytest.mark.parametrize("angle", [0.0, 30.0, 110.0])
def test_direction_is_that_of_the_waves_and_is_flipped_with_a_mirrored_map(angle, height_patches_of, striped):
    height_patches = height_patches_of(*striped(angle), mirrored=[False, True])
    own, other = height_patches.direction[0, :, 48, 48], height_patches.direction[1, :, 48, 48]
    wanted = np.array([np.cos(2 * np.radians(angle)), np.sin(2 * np.radians(angle))])
    assert np.linalg.norm(own) > 0.7 and own @ wanted > 0.98 * np.linalg.norm(own)
    assert np.allclose(other, own * [1, -1], atol=1e-3)
