import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.completion.alignment import pose_references
from facecom.errors import AlignmentError
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.alignment import align_landmarks, candidate_poses

POSES = {
    "upright": ([0.1, 0.2, 0.0], False),
    "upside down": ([0.0, 0.3, np.pi], False),
    "looking away and inside out": ([0.0, np.pi, 0.2], True),
}


@pytest.fixture(scope="module")
def reference():
    return next(pose_references(LinearGenerator.load().template, radius_mm=85.0))


@pytest.fixture(scope="module")
def face():
    """The front of somebody's face without the nose, and a plate that floats behind it."""
    mesh = LinearGenerator.load().sample(7, level=1)
    kept = (mesh.vertices[:, 2] > -90) & (np.linalg.norm(mesh.vertices - [0, 8, -8], axis=1) > 25)
    front = mesh.submesh(kept[mesh.faces].all(1))[0]
    plate = np.array([[90.0, 60, -90], [140, 60, -90], [140, 110, -90], [90, 110, -90]])
    return Mesh(
        np.concatenate([front.vertices, plate]),
        np.concatenate([front.faces, np.array([[0, 1, 2], [0, 2, 3]]) + len(front.vertices)]),
    )


@pytest.mark.parametrize("name", POSES)
def test_the_pose_is_among_the_best(face, reference, name):
    vector, inside_out = POSES[name]
    motion = Similarity(rotation_from_vector(vector), np.array([300.0, -100.0, 50.0]))
    scan = Mesh(motion.apply(face.vertices), face.faces[:, ::-1] if inside_out else face.faces)
    found = candidate_poses(scan, reference)
    assert [a.score for a in found] == sorted((a.score for a in found), reverse=True)
    gaps = [np.linalg.norm(a.pose.apply(scan.vertices) - face.vertices, axis=1).mean() for a in found[:5]]
    assert min(gaps) < 12.0
    best = found[int(np.argmin(gaps))]
    assert best.inside_out == inside_out
    assert best.pose.scale == 1.0
    assert np.linalg.det(best.pose.rotation) == pytest.approx(1.0, abs=1e-12)


def test_a_scan_without_area_is_refused(reference):
    line = Mesh(np.outer(np.arange(60.0), [1, 2, 3]), [[k, k + 1, k + 2] for k in range(58)])
    with pytest.raises(AlignmentError, match="no area"):
        candidate_poses(line, reference)


def test_references_are_pieces_of_the_template_seen_from_outside():
    template = LinearGenerator.load().template
    front, left, right = pose_references(template, radius_mm=85.0)
    assert (np.hypot(front.vertices[:, 0], front.vertices[:, 1] - 10) < 85).all()
    assert (vertex_normals(left.vertices, left.faces)[:, 0] > 0).mean() > 0.9
    assert (vertex_normals(right.vertices, right.faces)[:, 0] < 0).mean() > 0.9


@given(st.integers(0, 10_000), st.integers(3, 8))
def test_landmarks_give_the_pose_exactly(seed, count):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(count, 3)) * 40
    motion = Similarity(rotation_from_vector(rng.normal(size=3) * 2), rng.normal(size=3) * 100)
    pose = align_landmarks(motion.apply(reference), reference)
    assert pose.scale == 1.0
    assert np.allclose(pose.apply(motion.apply(reference)), reference, atol=1e-8)


@pytest.mark.parametrize(
    ("points", "why"),
    [(np.eye(3)[:2], "at least three landmarks, got 2"), (np.outer(np.arange(4.0), [1, 2, 3]), "on one line")],
)
def test_landmarks_that_leave_the_pose_open(points, why):
    with pytest.raises(AlignmentError, match=why):
        align_landmarks(points, points)
