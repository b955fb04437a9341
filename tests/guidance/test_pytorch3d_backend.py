"""The pytorch3d backend: against rays where it is installed, and against a stand-in that keeps its promises."""

import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest

from facecom.errors import MissingDependency
from facecom.geometry.mesh import Mesh
from facecom.guidance.camera import Camera
from facecom.guidance.rendering import render

torch = pytest.importorskip("torch")
ABSENT = find_spec("pytorch3d") is None


def both(size: int = 48) -> list[Camera]:
    where = {"target": [0, 0, 0], "size": size, "yaw": 0.5, "pitch": -0.3}
    return [
        Camera.orthographic(half_mm=45, **where),
        Camera.pinhole(distance_mm=200, field_of_view=0.5, **where),
    ]


def test_without_pytorch3d_the_sentence_says_what_to_do(bumpy_ball, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer.mesh.rasterize_meshes", None)
    with pytest.raises(MissingDependency, match="build it from source"):
        render(bumpy_ball, both()[0], backend="pytorch3d")


def naive_rasterize_meshes(mesh, *, image_size, blur_radius, faces_per_pixel, perspective_correct, **_):
    """What pytorch3d's rasterizer promises, brute force: its screen, its signed squared distances, one mesh."""
    triangles = mesh.verts[0][mesh.faces[0]]  # (F, 3, 3)
    height, width = image_size
    short = min(height, width)
    y = (height - 1 - 2 * torch.arange(height)) / short
    x = (width - 1 - 2 * torch.arange(width)) / short
    point = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).reshape(-1, 1, 2).to(triangles)
    a, b, c = (triangles[None, :, k, :2] for k in range(3))
    cross = lambda u, v: u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]  # noqa: E731
    area = cross(b - a, c - a)
    weight = torch.stack([cross(c - b, point - b), cross(a - c, point - c), cross(b - a, point - a)], -1)
    weight = weight / (area + 1e-8)[..., None]  # as pytorch3d does: what small triangles weigh sums to less than one
    depth = triangles[None, :, :, 2]
    if perspective_correct:
        weight = weight / depth
        weight = weight / weight.sum(-1, keepdim=True)
    edges = []
    for p, q in ((a, b), (b, c), (c, a)):
        t = (((point - p) * (q - p)).sum(-1) / ((q - p) ** 2).sum(-1).clamp(min=1e-12)).clamp(0, 1)
        edges.append(((point - p - t[..., None] * (q - p)) ** 2).sum(-1))
    squared = torch.stack(edges).min(0).values
    inside = (weight > 0).all(-1)
    signed = torch.where(inside, -squared, squared)
    z = (weight * depth).sum(-1)
    hit = inside | (squared < blur_radius)
    order = torch.where(hit & (area != 0), z, torch.inf).sort(1)
    count = min(faces_per_pixel, order.values.shape[1])
    best, valid = order.indices[:, :count], torch.isfinite(order.values[:, :count])
    take = lambda t: torch.gather(t, 1, best)  # noqa: E731
    weights = torch.stack([take(weight[..., k].expand_as(z)) for k in range(3)], -1)
    shape = (1, height, width, count)
    return (
        torch.where(valid, best, -1).reshape(shape),
        take(z).reshape(shape),
        weights.reshape(*shape, 3),
        torch.where(valid, take(signed), -1.0).reshape(shape),
    )


@pytest.fixture
def stand_in(monkeypatch):
    """A module with the two names of pytorch3d that the backend uses."""
    names = ["pytorch3d", "pytorch3d.renderer", "pytorch3d.renderer.mesh", "pytorch3d.renderer.mesh.rasterize_meshes"]
    for name in [*names, "pytorch3d.structures"]:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[names[-1]].rasterize_meshes = naive_rasterize_meshes
    sys.modules["pytorch3d.structures"].Meshes = lambda verts, faces: types.SimpleNamespace(verts=verts, faces=faces)


def compare_backends(mesh: Mesh, camera: Camera) -> None:
    ours, theirs = render(mesh, camera), render(mesh, camera, backend="pytorch3d")
    inner = ours.mask & theirs.mask
    for axis in (0, 1):
        for way in (1, -1):
            inner &= np.roll(ours.mask, way, axis)
    assert inner.sum() > 0.2 * inner.size
    assert np.abs(ours.depth - theirs.depth)[inner].max() < 0.01
    cosine = np.clip((ours.normals * theirs.normals).sum(-1)[inner], -1, 1)
    assert np.degrees(np.arccos(cosine)).max() < 0.1


def move_towards_a_shifted_silhouette(mesh: Mesh, camera: Camera) -> float:
    from facecom.guidance.pytorch3d_backend import soft_mask

    vertices = torch.tensor(mesh.vertices, dtype=torch.float32, requires_grad=True)
    right = torch.tensor(camera.axes[0].copy(), dtype=torch.float32)
    wanted = soft_mask(vertices.detach() + 4.0 * right, mesh.faces, camera)
    ((soft_mask(vertices, mesh.faces, camera) - wanted) ** 2).sum().backward()
    return float(-(vertices.grad @ right).sum())


@pytest.mark.parametrize("camera", both(24), ids=["orthographic", "pinhole"])
def test_the_adapter_agrees_with_rays_given_what_pytorch3d_promises(icosphere, camera, stand_in):
    mesh = icosphere(3, radius=40.0)
    compare_backends(mesh.with_vertices(mesh.vertices * [1.0, 0.8, 0.9]), camera)


@pytest.mark.slow
def test_the_depth_of_small_triangles_is_right_given_what_pytorch3d_promises(stand_in):
    rows = np.arange(21)
    x, y = (g.ravel() for g in np.meshgrid(rows - 10.0, rows - 10.0))
    first = (21 * rows[:20, None] + rows[:20]).ravel()
    faces = np.concatenate([np.stack([first, first + 1, first + 22], 1), np.stack([first, first + 22, first + 21], 1)])
    sheet = Mesh(np.stack([x + 0.23, y + 0.41, 0.3 * x], axis=1), faces)
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=96, size=96)
    ours, theirs = render(sheet, camera), render(sheet, camera, backend="pytorch3d")
    both_see = ours.mask & theirs.mask
    assert both_see.sum() > 60
    assert np.abs(ours.depth - theirs.depth)[both_see].max() < 0.01


def test_soft_silhouettes_pull_sideways_given_what_pytorch3d_promises(icosphere, stand_in):
    assert move_towards_a_shifted_silhouette(icosphere(1, radius=30.0), both(16)[0]) > 0


@pytest.mark.pytorch3d
@pytest.mark.skipif(ABSENT, reason="pytorch3d is not installed; it has no wheels and is built from source")
@pytest.mark.parametrize("camera", both(64), ids=["orthographic", "pinhole"])
def test_pytorch3d_agrees_with_rays(bumpy_ball, camera):
    compare_backends(bumpy_ball, camera)


@pytest.mark.pytorch3d
@pytest.mark.skipif(ABSENT, reason="pytorch3d is not installed; it has no wheels and is built from source")
def test_soft_silhouettes_of_pytorch3d_pull_sideways(icosphere):
    assert move_towards_a_shifted_silhouette(icosphere(2, radius=30.0), both(32)[0]) > 0
