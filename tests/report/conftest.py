import numpy as np
import pytest

from facecom.completion import Completion, complete
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear import LinearGenerator


@pytest.fixture(scope="session")
def small_model(leading_model) -> LinearGenerator:
    """The shipped model, cut so that it is quick to fit."""
    return leading_model(100, 80)


@pytest.fixture(scope="session")
def completion(small_model) -> Completion:
    """A drawn face without its left cheek, in a pose and unit of its own, completed; points shorten the search."""
    model = small_model
    face = model.sample(4, level=2)
    x, y, z = face.vertices.T
    hole = (np.hypot(x - 45, y + 15) < 16) & (z > -80)
    kept = face.submesh(~(hole | (z < -75) | (y < -85))[face.faces].any(1))[0]
    pose = Similarity(rotation_from_vector(np.array([0.3, -0.8, 0.2])), np.array([4.0, -7.0, 30.0]), scale=0.1)
    scan = Mesh(pose.apply(kept.vertices), kept.faces)
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion", "nasion")
    points = {name: pose.apply(face.vertices[model.template.landmark_index(name)]) for name in names}
    return complete(scan, unit="cm", landmarks=points, model=model)
