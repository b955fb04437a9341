import numpy as np
import pytest

from facecom.drawing.preview import PALETTE, preview
from facecom.drawing.shading import MAX_VERTICES
from facecom.geometry.mesh import Mesh
from facecom.geometry.subdivision import midpoint_matrix, split_faces
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.provenance import Provenance

SIZE = 60


def drawn(picture: np.ndarray) -> np.ndarray:
    return (picture < 250).any(-1)


def test_what_was_made_up_is_coloured_and_nothing_else(bump):
    made = np.hypot(bump.vertices[:, 0] - 40, bump.vertices[:, 1]) < 25
    picture = preview(bump, bump, provenance=made, size=SIZE).astype(int)
    colourful = (picture.max(-1) - picture.min(-1)) > 40
    top, bottom = colourful[: SIZE + 18], colourful[SIZE + 18 :]
    assert not top.any()
    assert bottom[:, :SIZE].any()
    rows, columns = np.nonzero(bottom[18:, :SIZE])
    assert columns.min() > SIZE / 2  # the subject's left
    plain = preview(bump, bump, size=SIZE).astype(int)
    assert (plain.max(-1) - plain.min(-1)).max() <= 40


def test_doubtful_skin_is_yellow_in_the_scan_and_not_in_the_result(bump):
    doubtful = np.hypot(bump.vertices[:, 0] - 40, bump.vertices[:, 1]) < 25
    picture = preview(bump, bump, doubtful=doubtful, size=SIZE).astype(int)
    yellow = (picture[..., :2].min(-1) - picture[..., 2]) > 40
    assert yellow[: SIZE + 18, :SIZE].any() and not yellow[SIZE + 18 :].any()
    with pytest.raises(ValueError, match="doubtful"):
        preview(bump, bump, doubtful=[True])


def test_each_kind_has_its_colour_and_other_numbers_are_refused(bump):
    count = len(bump.vertices)
    pictures = [preview(bump, bump, provenance=np.full(count, k), size=20) for k in Provenance]
    middle = np.array([p[20 + 18 + 18 + 10, 10] for p in pictures], float)
    assert np.allclose(middle / middle.max(1, keepdims=True), PALETTE / PALETTE.max(1, keepdims=True), atol=0.05)
    with pytest.raises(ValueError, match="0 to 4"):
        preview(bump, bump, provenance=np.full(count, 5))


def test_pose_and_unit_do_not_change_the_picture(bump):
    pose = Similarity(rotation_from_vector([2, 1, -1]), [400, -20, 7]) @ Similarity()
    metres = Similarity(scale=0.001) @ pose
    here = preview(bump, bump, size=SIZE).astype(int)
    for move in (pose, metres):
        moved = bump.with_vertices(move.apply(bump.vertices))
        there = preview(moved, moved, pose=move, size=SIZE).astype(int)
        assert (np.abs(here - there) > 3).any(-1).mean() < 0.002


def test_fine_meshes_look_like_coarse_ones(bump):
    fine = bump
    while len(fine.vertices) <= MAX_VERTICES:
        faces, parents = split_faces(fine.faces, len(fine.vertices))
        fine = Mesh(midpoint_matrix(parents, len(fine.vertices)) @ fine.vertices, faces)
    coarse, merged = preview(bump, bump, size=SIZE).astype(int), preview(fine, bump, size=SIZE).astype(int)
    assert (np.abs(coarse - merged) > 20).any(-1).mean() < 0.02


@pytest.mark.parametrize("with_normals", [True, False])
def test_point_sets_are_drawn_without_gaps(bump, with_normals):
    normals = None
    if with_normals:
        normals = np.broadcast_to([0, 0, 1.0], bump.vertices.shape)
    cloud = Mesh(bump.vertices, np.zeros((0, 3), int), normals=normals)
    picture = preview(cloud, bump, size=SIZE)
    front = drawn(picture[18 : 18 + SIZE, :SIZE])
    assert front[12:-12, 12:-12].all()


def test_what_cannot_be_drawn_is_refused(bump):
    with pytest.raises(ValueError, match="provenance"):
        preview(bump, bump, provenance=[1, 0])
    with pytest.raises(ValueError, match="no vertices"):
        preview(Mesh(np.zeros((0, 3)), np.zeros((0, 3))), bump)
