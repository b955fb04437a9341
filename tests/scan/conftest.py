"""A surface without symmetry and its oriented samples, which the tests of alignment share."""

from collections.abc import Callable

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.scan.oriented_samples import Samples, oriented_samples
from facecom.scan.pose_search import AlignSettings


@pytest.fixture(scope="session")
def bump(sheet) -> Mesh:
    """A sheet of 120 mm with two bumps, which no motion but none takes onto itself."""
    flat = sheet(40, 40)
    x, y = (flat.vertices[:, :2] * 3.0 - 60.0).T
    z = 45 * np.exp(-(x**2 + 0.5 * y**2) / 700) + 18 * np.exp(-((x - 35) ** 2 + (y + 20) ** 2) / 120) - 0.004 * x**2
    return flat.with_vertices(np.stack([x, y, z], 1))


@pytest.fixture(scope="session")
def sampled() -> Callable[..., Samples]:
    """Samples of a mesh as the default settings take them: `sampled(mesh, flip=...)`."""
    settings = AlignSettings()

    def sample(mesh: Mesh, *, flip: bool = False) -> Samples:
        return oriented_samples(
            mesh,
            voxel_mm=settings.voxel_mm,
            smooth_radius_mm=settings.smooth_radius_mm,
            relief_radius_mm=settings.relief_radius_mm,
            flip=flip,
        )

    return sample


@pytest.fixture(scope="session")
def samples(bump, sampled) -> Samples:
    return sampled(bump)
