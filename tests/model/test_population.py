"""Widening the population, against a slow reference on a tiny face that follows the definition entry by entry."""

import itertools

import numpy as np
import pytest

from facecom.model.population import (
    MIRROR,
    PopulationSettings,
    PopulationSource,
    discrepancy_fields,
    mirrored,
    size_modes,
    taper_modes,
    widen,
)

SETTINGS = PopulationSettings(local_mm=20.0, even_share=0.7, size_sd=0.0)


@pytest.fixture(scope="module")
def face():
    """A symmetric cloud of 14 points, two of them on the midline, and the vertex on the other side."""
    rng = np.random.default_rng(0)
    side = rng.uniform(5, 40, (6, 3))
    middle = rng.uniform(-40, 40, (2, 3)) * [0, 1, 1]
    mean = np.concatenate([side, side * MIRROR, middle])
    return mean, np.concatenate([np.arange(6, 12), np.arange(6), [12, 13]])


@pytest.fixture(scope="module")
def source(face):
    modes = np.random.default_rng(1).normal(size=(3, len(face[0]), 3))
    return PopulationSource(modes, local_share=0.3, odd_scale=0.5)


def covariance(mean, mirror, source, settings):
    """(V, 3, V, 3) by the definition: coefficient fields of even and odd parity times even and odd modes."""
    count = len(mean)
    kernel = np.exp(-0.5 * np.square(mean[:, None] - mean[None]).sum(-1) / settings.local_mm**2)
    out = np.zeros((count, 3, count, 3))
    s, share = source.local_share, settings.even_share
    for mode in source.modes:
        reflected = mirrored(mode, mirror)
        even, odd = (mode + reflected) / 2, source.odd_scale * (mode - reflected) / 2
        for part, i, j in itertools.product((even, odd), range(count), range(count)):
            near, far = kernel[i, j], kernel[i, mirror[j]]
            local = share * (near + far) + (1 - share) * (near - far)
            out[i, :, j, :] += np.outer(part[i], part[j]) * (1 - s + s * local)
    return out.reshape(3 * count, 3 * count)


def of_modes(modes):
    flat = modes.reshape(len(modes), -1)
    return flat.T @ flat


def test_all_modes_together_have_the_covariance_of_the_definition(face, source):
    mean, mirror = face
    basis = widen(mean, mirror, [source], rank=3 * len(mean), coarse=len(mean), settings=SETTINGS)
    expected = covariance(mean, mirror, source, SETTINGS)
    np.testing.assert_allclose(of_modes(basis.modes), expected, atol=1e-6 * np.abs(expected).max())


def test_the_leading_modes_are_the_leading_eigenvectors(face, source):
    mean, mirror = face
    basis = widen(mean, mirror, [source], rank=4, coarse=len(mean), settings=SETTINGS)
    values = np.linalg.eigvalsh(covariance(mean, mirror, source, SETTINGS))[::-1]
    np.testing.assert_allclose(np.square(basis.modes).sum(axis=(1, 2)), values[:4], rtol=1e-8)


def test_each_mode_is_even_or_odd_as_it_says(face, source):
    mean, mirror = face
    basis = widen(mean, mirror, [source], rank=12, coarse=len(mean), settings=SETTINGS)
    sign = np.where(basis.odd, -1.0, 1.0)[:, None, None]
    np.testing.assert_array_equal(mirrored(basis.modes, mirror), sign * basis.modes)
    assert {True, False} == set(basis.odd.tolist())


def test_without_local_share_nothing_beyond_the_source_is_made(face, source):
    mean, mirror = face
    whole = PopulationSource(source.modes, local_share=0.0, odd_scale=1.0)
    basis = widen(mean, mirror, [whole], rank=40, coarse=len(mean), settings=SETTINGS)
    assert len(basis.modes) <= 2 * len(source.modes)  # an even and an odd part of each
    symmetrised = 0.5 * (of_modes(source.modes) + of_modes(mirrored(source.modes, mirror)))
    np.testing.assert_allclose(of_modes(basis.modes), symmetrised, atol=1e-8)


def test_vertices_beyond_the_coarse_level_follow_where_the_modes_are_few(face, source):
    mean, mirror = face
    order = np.array([0, 6, 1, 7, 2, 8, 12, 13, 3, 9, 4, 10, 5, 11])  # pairs stay together
    new_mirror = np.argsort(order)[mirror[order]]
    whole = PopulationSource(source.modes[:, order], local_share=0.0)
    options = {"rank": 6, "settings": SETTINGS}
    exact = widen(mean[order], new_mirror, [whole], coarse=14, **options)
    extended = widen(mean[order], new_mirror, [whole], coarse=10, **options)
    np.testing.assert_allclose(of_modes(extended.modes), of_modes(exact.modes), atol=1e-8)


def test_the_same_sources_give_the_same_modes(face, source):
    mean, mirror = face
    first, second = (widen(mean, mirror, [source], rank=5, coarse=len(mean), settings=SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.modes, second.modes)


def test_size_modes_stretch_each_axis_by_their_share(face):
    modes = size_modes(face[0], sd=0.1)
    for axis, mode in enumerate(modes):
        stretched = face[0] + mode
        np.testing.assert_allclose(np.ptp(stretched[:, axis]), 1.1 * np.ptp(face[0][:, axis]))
        np.testing.assert_array_equal(np.delete(mode, axis, axis=1), 0.0)


def test_residual_fields_have_the_kernel_of_their_definition(face):
    mean, mirror = face
    options = {"correlation_mm": 15.0, "sigma_mm": 0.6, "even_share": 0.8}
    fields, odd = discrepancy_fields(mean, mirror, rank=2 * len(mean), **options)
    kernel = 0.36 * np.exp(-np.linalg.norm(mean[:, None] - mean[None], axis=-1) / 15.0)
    even, uneven = (kernel + kernel[mirror]) / 2, (kernel - kernel[mirror]) / 2
    np.testing.assert_allclose(fields.T @ fields, 0.8 * even + 0.2 * uneven, atol=1e-9)
    np.testing.assert_allclose(fields[:, mirror], np.where(odd, -1.0, 1.0)[:, None] * fields, atol=1e-7)


def test_tapers_are_symmetric_and_on_half_a_face_two_of_them_are_a_turn_of_the_head(face):
    mean, mirror = face
    about = np.array([0.0, 3.0, -30.0])
    tapers = taper_modes(mean, about=about, sd=0.02, blend_mm=1e-6)
    np.testing.assert_allclose(mirrored(tapers, mirror), tapers, atol=1e-12)
    left = mean[:, 0] > 0
    yaw, roll = (0.02 * np.cross(axis, mean - about) for axis in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]))
    np.testing.assert_allclose((tapers[1] - tapers[3])[left], yaw[left], atol=1e-6)
    np.testing.assert_allclose((tapers[2] - tapers[0])[left], roll[left], atol=1e-6)
