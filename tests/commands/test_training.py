"""What a folder of faces becomes before the training."""

import numpy as np
import pytest

from facecom.commands.training import on_template, read_faces
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, fit_similarity, rotation_from_vector
from facecom.io.files import write_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


def test_faces_on_the_template_come_to_the_face_frame_in_mm(model):
    """`facecom register` leaves each face in the frame and unit of its scan."""
    faces = [model.sample(seed, level=SHAPE_LEVEL).vertices for seed in range(3)]
    poses = [
        Similarity(rotation_from_vector([2.0, -1.0, 0.5]), [300.0, -20.0, 5.0]),
        Similarity(rotation_from_vector([0.0, 3.0, 0.0]), [0.0, 0.4, -1.0], scale=0.001),
        Similarity(scale=0.1),
    ]
    moved = np.stack([pose.apply(face) for pose, face in zip(poses, faces, strict=True)])
    found = on_template(moved, model.faces(SHAPE_LEVEL), model.template)
    mean = model.template.vertices[: len(faces[0])]
    wanted = [fit_similarity(face, mean).apply(face) for face in faces]
    assert np.abs(found - wanted).max() < 1e-3


def test_the_mean_of_a_registration_is_no_face_of_its_own(tmp_path):
    triangle = Mesh(np.eye(3), [[0, 1, 2]])
    for name in ("mean.ply", "one.ply", "two.ply"):
        write_mesh(tmp_path / name, triangle)
    assert len(read_faces(tmp_path)[0]) == 2
