import numpy as np
import pytest

from facecom.completion import Completion, complete
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator

POSE = Similarity(rotation_from_vector(np.array([0.3, -0.8, 0.2])), np.array([40.0, -7.0, 30.0]))


@pytest.fixture(scope="session")
def small_model(leading_model) -> LinearGenerator:
    """The shipped model, cut so that it is quick to fit."""
    return leading_model(80, 60)


@pytest.fixture(scope="session")
def pose() -> Similarity:
    """Face frame -> where the scan lies."""
    return POSE


@pytest.fixture(scope="session")
def scan(small_model) -> Mesh:
    """A drawn face without its nose, in a pose of its own, mm."""
    face = small_model.sample(4, level=2)
    x, y, z = face.vertices.T
    lost = (np.hypot(x, 0.8 * (y - 8)) < 24) | (z < -75) | (y < -85)
    kept = face.submesh(~lost[face.faces].any(axis=1))[0]
    return Mesh(POSE.apply(kept.vertices), kept.faces)


@pytest.fixture(scope="session")
def completion(small_model, scan) -> Completion:
    """The scan completed; points shorten the search."""
    face = small_model.sample(4, level=2)
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion", "gnathion")
    points = {n: POSE.apply(face.vertices[small_model.template.landmark_index(n)]) for n in names}
    return complete(scan, unit="mm", landmarks=points, model=small_model)
