"""What a folder of faces becomes before the training."""

import numpy as np
import pytest

from facecom.commands.training import on_template
from facecom.errors import ScanError
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


def test_faces_on_the_template_must_lie_in_the_face_frame_in_mm(model):
    """Faces that do are taken as they are; without the report of a registration nothing says where others lie."""
    faces = np.stack([model.sample(seed, level=SHAPE_LEVEL).vertices for seed in range(3)])
    triangles = model.faces(SHAPE_LEVEL)
    assert np.array_equal(on_template(faces, triangles, model.template), faces)
    for pose in (Similarity(scale=0.001), Similarity(rotation_from_vector([2.0, -1.0, 0.5]), [300.0, -20.0, 5.0])):
        moved = faces.copy()
        moved[1] = pose.apply(faces[1])
        with pytest.raises(ScanError, match=r"two\.ply"):
            on_template(moved, triangles, model.template, names=["one.ply", "two.ply", "three.ply"])
