import sys
import types

import numpy as np
import pytest

from facecom.errors import MissingDependency
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit
from facecom.guidance.camera import Camera
from facecom.guidance.rendering import Scene, rasterise, render

torch = pytest.importorskip("torch")
try:
    import pytorch3d  # noqa: F401

    ABSENT = False
except ImportError:
    ABSENT = True


@pytest.fixture(scope="module")
def ball(icosphere) -> Mesh:
    """A bumpy ball of radius 40 mm, unlike its mirror image."""
    sphere = icosphere(4, radius=40.0)
    x, y, z = sphere.vertices.T
    return sphere.with_vertices(sphere.vertices * (1 + 0.05 * np.sin(x / 9) * np.cos(y / 7 + z / 11))[:, None])


def both(size: int = 48) -> list[Camera]:
    where = {"target": [0, 0, 0], "size": size, "yaw": 0.5, "pitch": -0.3}
    return [
        Camera.orthographic(half_mm=45, **where),
        Camera.pinhole(distance_mm=200, field_of_view=0.5, **where),
    ]


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_depth_lifts_to_points_on_the_surface(ball, camera):
    picture = render(ball, camera)
    distance = Surface(ball).closest(camera.unproject(picture.depth)[picture.mask]).distance
    assert picture.mask.mean() > 0.3
    assert distance.max() < 1e-3
    assert np.isnan(picture.depth[~picture.mask]).all()


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_normals_of_a_ball_point_away_from_its_middle(icosphere, camera):
    picture = render(icosphere(5, radius=40.0), camera)
    out = unit(camera.unproject(picture.depth)[picture.mask])
    assert np.degrees(np.arccos(np.clip((out * picture.normals[picture.mask]).sum(1), -1, 1))).max() < 0.5
    assert (picture.normals[~picture.mask] == 0).all()


def test_shading_is_brightest_towards_the_light(ball):
    camera = both()[0]
    bright = render(ball, camera, light=(1, 0, 0), ambient=0.1).shading
    assert bright[:, 32:].sum() > 2 * bright[:, :16].sum()
    assert bright.max() <= 1


def test_labels_and_colours_are_those_of_the_surface(ball):
    left = (ball.vertices[:, 0] > 0).astype(int)
    camera = both()[0]
    coloured = Mesh(ball.vertices, ball.faces, colors=np.repeat(left[:, None], 3, 1))
    picture = render(coloured, camera, labels=left)
    x = camera.unproject(picture.depth)[..., 0]
    far = picture.mask & (np.abs(x) > 4)
    assert (picture.labels[far] == (x[far] > 0)).all()
    assert np.allclose(picture.colors[far][:, 0], x[far] > 0)
    assert (picture.labels[~picture.mask] == -1).all()
    assert np.allclose(picture.rgb()[far], picture.shading[far][:, None] * picture.colors[far])


def test_what_shows_its_back_is_not_seen(ball):
    inside = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 2] < -10)[0]
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=45, size=32)
    assert (rasterise(inside, camera).faces >= 0).any()
    with pytest.raises(ValueError, match="nothing of the mesh"):
        render(inside, camera)


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_a_surface_and_a_scene_give_the_picture_of_their_mesh(ball, camera):
    scene, alone = Scene(ball), render(ball, camera)
    for picture in (render(Surface(ball), camera), render(scene, camera), render(scene, camera)):
        assert np.array_equal(picture.depth, alone.depth, equal_nan=True)
        assert np.array_equal(picture.normals, alone.normals)
        assert np.array_equal(picture.fragments.faces, alone.fragments.faces)


def test_views_with_nothing_in_them_and_wrong_options_are_named(ball):
    with pytest.raises(ValueError, match="nothing of the mesh"):
        render(ball, Camera.orthographic(target=[900, 0, 0], half_mm=45, size=8))
    with pytest.raises(ValueError, match="open3d, pytorch3d"):
        render(ball, both()[0], backend="opengl")
    with pytest.raises(ValueError, match="3 entries for"):
        render(ball, both()[0], labels=[0, 1, 2])


# ---- gradients


@pytest.mark.parametrize("camera", both(24), ids=["orthographic", "pinhole"])
def test_tensors_hold_the_values_of_the_picture(ball, camera):
    from facecom.guidance.differentiable_rendering import render_tensors

    picture, tensors = render(ball, camera), render_tensors(torch.tensor(ball.vertices), ball.faces, camera)
    assert np.array_equal(tensors.pixels.numpy(), np.flatnonzero(picture.mask))
    for name, within in (("depth", 1e-3), ("normals", 1e-4), ("shading", 1e-4)):
        assert np.abs(getattr(tensors, name).numpy() - getattr(picture, name)[picture.mask]).max() < within


@pytest.mark.parametrize("camera", both(20), ids=["orthographic", "pinhole"])
@pytest.mark.parametrize("value", ["depth", "normals", "shading"])
def test_gradients_agree_with_finite_differences_of_the_picture(icosphere, camera, value):
    """Differences are of fresh pictures, visibility and all; pixels that change their face are left out."""
    from facecom.guidance.differentiable_rendering import render_tensors

    mesh = icosphere(2, radius=38.0)
    rng = np.random.default_rng(3)
    move, seed = rng.normal(size=mesh.vertices.shape), rng.normal(size=(400, 3))
    step = 2e-3
    plus, minus = (render(mesh.with_vertices(mesh.vertices + s * step * move), camera) for s in (1, -1))
    vertices = torch.tensor(mesh.vertices, requires_grad=True)
    tensors = render_tensors(vertices, mesh.faces, camera)
    steady = (plus.fragments.faces == tensors.fragments.faces) & (minus.fragments.faces == tensors.fragments.faces)
    inside = steady.ravel()[tensors.pixels.numpy()]
    pick = np.flatnonzero((tensors.fragments.faces >= 0) & steady)
    weight = seed[pick] if value == "normals" else seed[pick, 0]
    (getattr(tensors, value)[inside] * torch.tensor(weight)).sum().backward()
    slope = float((vertices.grad.numpy() * move).sum())
    flat = [getattr(p, value).reshape(400, -1)[pick].reshape(weight.shape) for p in (plus, minus)]
    expected = float(((flat[0] - flat[1]) * weight).sum() / (2 * step))
    assert len(pick) > 100
    assert abs(slope - expected) < 0.01 * np.abs(expected) + 0.02


# ---- pytorch3d


def test_without_pytorch3d_the_sentence_says_what_to_do(ball, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer.mesh.rasterize_meshes", None)
    with pytest.raises(MissingDependency, match="build it from source"):
        render(ball, both()[0], backend="pytorch3d")


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
def test_pytorch3d_agrees_with_rays(ball, camera):
    compare_backends(ball, camera)


@pytest.mark.pytorch3d
@pytest.mark.skipif(ABSENT, reason="pytorch3d is not installed; it has no wheels and is built from source")
def test_soft_silhouettes_of_pytorch3d_pull_sideways(icosphere):
    assert move_towards_a_shifted_silhouette(icosphere(2, radius=30.0), both(32)[0]) > 0
