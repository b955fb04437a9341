"""Skin is scored by what it is: a copy meets all, stronger relief reads stronger, folds and features are left out."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh

UP = 300.0  # above all features of the head that the script knows


@pytest.fixture(scope="module")
def pores(script):
    return script("pore_windows")


@pytest.fixture(scope="module")
def beside(script):
    return script("pores_adjacent")


def sheet(strength=None, *, seed=0, half=45.0, step=0.4):
    """A plane with noise at its vertices, 20 micrometres, times `strength` of (x, y)."""
    count = round(2 * half / step) + 1
    y, x = np.mgrid[:count, :count] * step - half
    z = 0.02 * np.random.default_rng(seed).normal(size=x.shape)
    if strength is not None:
        z = z * strength(x, y)
    k = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    faces = np.concatenate([np.stack([k, k + 1, k + count + 1], 1), np.stack([k, k + count + 1, k + count], 1)])
    return Mesh(np.stack([x.ravel(), y.ravel() + UP, z.ravel()], 1), faces)


@pytest.fixture(scope="module")
def piece(pores):
    return pores.Piece("middle", (0, UP, 0), 12)


def test_a_copy_meets_all_and_twice_the_relief_reads_six_decibel(pores, piece):
    skin, strong = (pores.Skin.of(sheet(s)) for s in (None, lambda x, y: 2.0))
    views = skin.views(skin.centre_of(piece), piece.radius)
    true, twice = (pores.windows(Surface(s.mesh), views) for s in (skin, strong))
    same, double = pores.compared(true, true), pores.compared(twice, true)
    assert len(true) == 4
    assert same.met.all()
    assert np.abs(same.bands).max() < 1e-9
    assert double.bands == pytest.approx(20 * np.log10(2), abs=0.1)
    assert double.ratio == pytest.approx(2, rel=0.01)
    assert not double.met[:4].any()


def test_windows_beside_a_piece_lie_outside_and_read_what_is_there(pores, beside, piece):
    alike = pores.Skin.of(sheet())
    louder = pores.Skin.of(sheet(lambda x, y: np.where(np.hypot(x, y) > 13, 3.0, 1.0)))
    found, loud = (beside.beside(skin, Surface(skin.mesh), piece) for skin in (alike, louder))
    assert len(found) == len(loud) == 24
    rise = np.array([second.bands - first.bands for first, second in zip(found, loud, strict=True)])
    assert np.abs(np.mean([f.bands for f in found], axis=0)).max() < 1.5
    assert rise == pytest.approx(20 * np.log10(3), abs=0.1)


def test_folds_features_and_open_borders_are_left_out(pores, beside, piece):
    flat = sheet()
    folded = flat.vertices + np.outer(2.0 * np.tanh(4 * (np.abs(flat.vertices[:, 0]) - 22)), [0, 0, 1.0])
    skin = pores.Skin.of(flat.with_vertices(folded))
    assert 0 < len(beside.beside(skin, Surface(skin.mesh), piece)) < 24
    small = pores.Skin.of(sheet(half=20.0))
    assert beside.beside(small, Surface(small.mesh), piece) == []
    low = pores.Skin.of(flat.with_vertices(flat.vertices - [0, UP, 0]))
    at_mouth = pores.Piece("mouth", (0, -33, 0), 2)
    assert beside.beside(low, Surface(low.mesh), at_mouth) == []
