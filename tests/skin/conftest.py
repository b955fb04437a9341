"""Sheets of known relief and fine patches that the skin tests share; each fixture is a factory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.skin.fine_patch import FinePatch, refine_patch
from facecom.skin.height_patches import HeightPatches, sample_height_patches


def _grid(half: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    at = np.linspace(-half, half, int(round(2 * half / step)) + 1)
    x, y = np.meshgrid(at, at)
    corner = np.arange(x.size).reshape(x.shape)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), np.concatenate(
        [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    )


@pytest.fixture(scope="session")
def grid():
    return _grid


def _height_patches_of(vertices: np.ndarray, faces: np.ndarray, **settings) -> HeightPatches:
    surface = Surface(Mesh(vertices, faces))
    flags = np.array(settings.pop("mirrored", [False]))
    up = np.tile([0.0, 0.0, 1.0], (len(flags), 1))
    return sample_height_patches(surface, np.zeros((len(flags), 3)), up, mirrored=flags, **settings)


@pytest.fixture(scope="session")
def height_patches_of():
    return _height_patches_of


def _bowl(edge: float = 0.25) -> tuple[Mesh, FinePatch]:
    vertices, faces = _grid(8.0, 1.0)
    vertices[:, 2] = (vertices[:, :2] ** 2).sum(1) / 30
    face = Mesh(vertices, faces)
    missing = np.linalg.norm(vertices[:, :2], axis=1) < 2.5
    return face, refine_patch(face, missing, border_mm=3.0, edge_mm=edge, coarse_mm=0.8)


@pytest.fixture(scope="session")
def bowl():
    return _bowl


def _groove() -> tuple[FinePatch, np.ndarray]:
    """A narrow groove along y, and heights that push its two walls through each other."""
    vertices, faces = _grid(6.0, 0.5)
    vertices[:, 2] = 3.0 * (1.0 - np.exp(-(vertices[:, 0] ** 2)))
    missing = np.linalg.norm(vertices[:, :2], axis=1) < 2.0
    patch = refine_patch(Mesh(vertices, faces), missing, border_mm=2.0, edge_mm=0.25, coarse_mm=0.8)
    x, y, _ = patch.mesh.vertices.T
    return patch, 1.2 * np.exp(-((np.abs(x) - 1.0) ** 2 + y**2) / 0.5)


@pytest.fixture(scope="session")
def groove():
    return _groove


def _striped(angle_deg: float, step: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """A sheet with waves of 1.5 mm that run at an angle, and some noise."""
    vertices, faces = _grid(9.0, step)
    side = int(round(np.sqrt(len(vertices))))
    a = np.radians(angle_deg)
    along = np.cos(a) * vertices[:, 0] + np.sin(a) * vertices[:, 1]
    rough = gaussian_filter(np.random.default_rng(3).normal(size=(side, side)), 2).ravel()
    vertices[:, 2] = 0.02 * np.sin(2 * np.pi / 1.5 * along) + 0.01 * rough
    return vertices, faces


@pytest.fixture(scope="session")
def striped():
    return _striped
