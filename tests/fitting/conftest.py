"""A shape that the fit tests share: a dome without symmetry, its code and pose, and scans of it."""

from collections.abc import Callable

import numpy as np
import pytest

from facecom.fitting.types import FitSettings, FitStage
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector


class Dome:
    """A shape without any symmetry and three smooth modes along its normals; one level."""

    code_size = 3

    def __init__(self, mesh):
        x, y = mesh.vertices[:, :2].T / 40.0
        z = 30 * np.exp(-2 * ((x - 0.2) ** 2 + 1.7 * y**2)) + 9 * np.exp(-30 * ((x + 0.5) ** 2 + (y - 0.4) ** 2))
        self._mesh = mesh.with_vertices(np.stack([40 * x, 40 * y, z], 1))
        normals = vertex_normals(self._mesh.vertices, mesh.faces)
        waves = np.stack([np.cos(5 * x), np.cos(5 * y) * x, np.sin(5 * x * y + 1)], 1)
        self._jacobian = (2.0 * normals[:, :, None] * waves[:, None, :]).reshape(-1, 3)

    def faces(self, level):
        return self._mesh.faces

    def decode(self, code, *, level):
        return self._mesh.vertices + (self._jacobian @ code).reshape(-1, 3)

    def jacobian(self, code, *, level):
        return self._jacobian


@pytest.fixture(scope="session")
def dome(sheet) -> Dome:
    flat = sheet(40, 40)
    return Dome(flat.with_vertices(flat.vertices * 2.0 - [40.0, 40.0, 0.0]))


@pytest.fixture(scope="session")
def dome_code() -> np.ndarray:
    """The code of the scanned dome."""
    return np.array([0.8, -1.1, 0.5])


@pytest.fixture(scope="session")
def dome_pose() -> Similarity:
    """The pose that brings the scanned dome back."""
    return Similarity(rotation_from_vector([0.05, -0.06, 0.08]), np.array([2.0, -1.5, 2.5]))


@pytest.fixture(scope="session")
def dome_settings() -> FitSettings:
    """Two stages that find code and pose of a scanned dome."""
    return FitSettings(
        stages=(
            FitStage(level=0, iterations=8, modes=None, reach_mm=20.0, robust_mm=6.0, noise_mm=0.5),
            FitStage(level=0, iterations=8, modes=None, reach_mm=4.0, robust_mm=1.0, noise_mm=0.1),
        )
    )


@pytest.fixture(scope="session")
def dome_scan(dome, dome_code, dome_pose) -> Callable[..., Mesh]:
    """Factory of scans of the dome: `dome_scan(kept=..., noise=...)`."""

    def make(*, kept: np.ndarray | None = None, noise: float = 0.0) -> Mesh:
        vertices = dome_pose.inverse().apply(dome.decode(dome_code, level=0))
        vertices = vertices + np.random.default_rng(0).normal(size=vertices.shape) * noise
        mesh = Mesh(vertices, dome.faces(0))
        return mesh if kept is None else mesh.submesh(kept[mesh.faces].all(1))[0]

    return make
