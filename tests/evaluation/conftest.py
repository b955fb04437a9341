"""A face-like surface that the tests of defects share."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh


@pytest.fixture(scope="session")
def face(sheet) -> Mesh:
    """A bowl of the size of a face, nose tip forward, in the face frame."""
    flat = sheet(90, 80)
    x, y = (flat.vertices[:, :2] * 2 - [80, 90]).T
    z = -0.009 * x**2 - 0.0035 * (y - 10) ** 2 - 22 + 25 * np.exp(-(x**2 + (y - 5) ** 2) / 200)
    return flat.with_vertices(np.stack([x, y, z], 1))
