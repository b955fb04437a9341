"""What relief synthesis aims at and what it leaves alone, on a bowl with synthetic skin around its hole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecom.provenance import Provenance
from facecom.skin.noise_bands import BandReport, band_wavelengths
from facecom.skin.patch_heights import Heights, rim_distance
from facecom.skin.quilting import QuiltSettings
from facecom.skin.relief_synthesis import FaceAttributes, HoleSkin, quilt_target, synthesise_relief
from facecom.skin.synthetic_skin import synthetic_patches
from facecom.skin.types import DetailSettings


@pytest.fixture(scope="module")
def skin(bowl) -> HoleSkin:
    face, patch = bowl(0.4)
    away = np.linalg.norm(patch.mesh.vertices[:, :2], axis=1)
    observed = away > 1.8
    relief = np.random.default_rng(0).normal(scale=0.01, size=len(away))
    base = 0.1 + 0.01 * patch.mesh.vertices[:, 0]
    flags = np.ones(4, bool)
    settings = DetailSettings(
        mode="synthetic", max_wavelength_mm=4.5, power_corrections=0, quilt=QuiltSettings(radius_mm=1.5, spacing_mm=1.4)
    )
    return HoleSkin(
        patch,
        Heights(np.where(observed, base + relief, 0.0), observed, np.where(observed, 0, -1)),
        base,
        synthetic_patches(count=3, max_wavelength_mm=4.5, seed=0, half_mm=4.0),
        BandReport(band_wavelengths(4.5), 0.15, 0.0, np.full(4, 0.01), np.zeros(4), flags, flags),
        FaceAttributes(np.ones(len(face.vertices), bool), None, None),
        settings,
    )


def test_synthetic_skin_has_the_same_target_everywhere(skin):
    target = quilt_target(skin)
    mean = skin.height_patches.log_power.mean((0, 2, 3))
    assert np.allclose(target.log_power, mean, atol=1e-4)
    assert not target.direction.any()
    assert np.allclose(target.depth, rim_distance(skin.patch, skin.heights.observed))
    known = skin.heights.observed
    assert np.allclose(target.relief[known], (skin.heights.values - skin.base_offset)[known])


def test_noise_is_taken_off_the_target_but_never_all_of_it(skin):
    plain = np.exp(quilt_target(skin).log_power)
    for rms in (0.3 * np.sqrt(plain[0]), np.full(4, 1.0)):
        noisy = replace(skin, bands=replace(skin.bands, noise_rms_mm=rms))
        expected = np.maximum(plain - rms**2, 0.05 * plain)
        assert np.allclose(np.exp(quilt_target(noisy).log_power), expected, rtol=1e-6)


def test_wrinkles_run_across_the_compression_where_skin_shows_no_direction(skin):
    count = len(skin.attributes.observed)
    along_x = np.tile(np.diag([1.0, 0.0, 0.0]), (count, 1, 1))
    led = replace(skin, attributes=replace(skin.attributes, compression=along_x))
    direction = quilt_target(led).direction
    centre = np.linalg.norm(skin.patch.mesh.vertices[:, :2], axis=1).argmin()
    assert direction[centre] == pytest.approx([skin.settings.tension_share, 0.0], abs=0.02)


def test_observed_relief_is_kept_and_the_hole_gets_as_much(skin):
    relief, provenance = synthesise_relief(skin, seed=1)
    observed = skin.heights.observed
    assert np.allclose(relief[observed], (skin.heights.values - skin.base_offset)[observed], atol=2e-3)
    deep = rim_distance(skin.patch, observed) > 0.7
    expected = np.sqrt(np.exp(skin.height_patches.log_power.mean((0, 2, 3))).sum())
    assert 0.4 < relief[deep].std() / expected < 1.6
    assert (provenance == Provenance.SYNTHESISED).all()
    again, other = synthesise_relief(skin, seed=1)[0], synthesise_relief(skin, seed=2)[0]
    assert np.array_equal(again, relief) and not np.array_equal(other, relief)


def test_bands_that_are_not_usable_are_not_made(skin):
    none = replace(skin, bands=replace(skin.bands, usable=np.zeros(4, bool)))
    deep = rim_distance(skin.patch, skin.heights.observed) > 1.2
    made, plain = synthesise_relief(none, seed=1)[0], synthesise_relief(skin, seed=1)[0]
    assert made[deep].std() < 0.2 * plain[deep].std()
