"""What the parser learns from: batches of pictures that agree with the library's renders, and what lies on faces."""

import numpy as np
import pytest
import torch

from facecom.guidance.camera import view_cameras
from facecom.guidance.rendering import render
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL, Template
from training.batch_rendering import rasterise, vertex_normals
from training.clutter import BED, CHANCES, HEIGHT_MM, covered, glasses, glasses_triangles
from training.face_stream import FaceStream
from training.people import People, load, write
from training.picture_stream import PictureStream

SIZE = 40


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load()


@pytest.fixture(scope="module")
def stream(template) -> FaceStream:
    count = template.counts[SHAPE_LEVEL]
    modes = LinearGenerator.load().modes[:4]
    people = [People("ict", np.zeros((count, 3)), modes), People("gnm", np.full((count, 3), 0.1), modes[:2])]
    return FaceStream.of(people, device=torch.device("cpu"))


@pytest.mark.parametrize("view", ["front", "right", "below"])
def test_batches_show_what_renders_show(template, view):
    level = template.counts[SHAPE_LEVEL]
    mesh, camera = template.mesh(SHAPE_LEVEL), view_cameras((view,), size=SIZE)[view]
    wanted = render(mesh, camera, labels=template.region[:level])
    triangles = torch.tensor(mesh.faces.copy())
    vertices = torch.tensor(mesh.vertices.copy())[None]
    pixels, depth = (torch.tensor(each)[None] for each in camera.project(mesh.vertices))
    found = rasterise(pixels, depth, triangles, size=SIZE)
    both = found.mask[0].numpy() & wanted.mask
    assert (found.mask[0].numpy() != wanted.mask).mean() < 0.003
    assert both.mean() > 0.3
    assert np.abs(found.interpolated(depth[..., None], triangles)[0, ..., 0].numpy() - wanted.depth)[both].max() < 0.02
    normals = found.interpolated(vertex_normals(vertices, triangles), triangles)
    normals = torch.nn.functional.normalize(normals, dim=-1)[0].numpy()
    assert np.abs(normals - wanted.normals)[both].max() < 0.01
    labels = found.nearest(torch.tensor(template.region[:level])[None], triangles)[0].numpy()
    assert (labels != wanted.labels)[both].mean() < 0.01


def test_large_triangles_are_drawn_whole_up_to_the_window():
    pixels = torch.tensor([[[1.0, 1.0], [1.0, 21.0], [21.0, 1.0]]])
    found = rasterise(pixels, torch.ones(1, 3), torch.tensor([[0, 1, 2]]), size=32)
    assert found.mask.sum() == sum(20 - k for k in range(20))
    turned = rasterise(pixels[:, [0, 2, 1]], torch.ones(1, 3), torch.tensor([[0, 1, 2]]), size=32)
    assert not turned.mask.any()


def test_the_nearer_of_two_triangles_is_shown():
    pixels = torch.tensor([[[0.0, 0.0], [0.0, 8.0], [8.0, 0.0]] * 2])
    depth = torch.tensor([[5.0, 5.0, 5.0, 4.0, 4.0, 4.0]])
    found = rasterise(pixels, depth, torch.tensor([[0, 1, 2], [3, 4, 5]]), size=8)
    assert set(found.faces.unique().tolist()) == {-1, 1}


def test_only_what_is_covered_moves_and_beds_lie_deeper(stream):
    random = torch.Generator().manual_seed(0)
    base = stream.base[None].expand(24, -1, -1)
    triangles = torch.tensor(Template.load().faces[SHAPE_LEVEL].copy())
    normals = vertex_normals(base, triangles)
    moved, where = covered(base, normals, stream.base, random)
    height = ((moved - base) * normals).sum(-1)
    assert 0.02 < where.float().mean() < 0.6
    assert (height[where].abs() > 0.1).float().mean() > 0.9
    assert height[~where].abs().median() == 0
    assert height.min() < 0 < height.max()
    assert len(CHANCES) == len(HEIGHT_MM) and HEIGHT_MM[BED][1] < 0


def test_glasses_turn_their_outside_outwards():
    frames = glasses(64, torch.Generator().manual_seed(0))
    worn = frames[(frames.abs().amax((1, 2)) < 1e4)]
    assert 0 < len(worn) < 64
    a, b, c = (worn[0, torch.tensor(glasses_triangles()[:, k])].double() for k in range(3))
    volume = (a * torch.linalg.cross(b, c)).sum() / 6
    assert volume > 0


def test_pictures_are_the_same_for_a_seed_and_name_every_region(stream, template):
    pictures = PictureStream.of(stream, size=SIZE)
    first, labels = pictures.draw(4, torch.Generator().manual_seed(4))
    again, _ = pictures.draw(4, torch.Generator().manual_seed(4))
    other, _ = pictures.draw(4, torch.Generator().manual_seed(5))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (4, 3, SIZE, SIZE) and first.min() >= -1 and first.max() <= 1
    named = {"skin", "nose", "l_brow", "r_brow", "u_lip", "l_lip"}
    numbers = {template.region_names.index(name) + 1 for name in named}
    assert numbers | {0} <= set(labels.unique().tolist())


def test_people_are_read_as_they_were_written(tmp_path):
    modes = np.arange(24.0).reshape(4, 2, 3)
    write([People("ict", np.ones((2, 3)), modes), People("gnm", np.zeros((2, 3)), modes[:1])], tmp_path / "p.npz")
    first, second = load(tmp_path / "p.npz")
    assert (first.name, second.name) == ("ict", "gnm")
    assert np.array_equal(first.modes, modes) and np.array_equal(first.offset, np.ones((2, 3)))
