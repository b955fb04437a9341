"""Values and gradients of tensor renders, against plain renders and finite differences."""

import numpy as np
import pytest
import torch

from facecom.guidance.camera import Camera
from facecom.guidance.differentiable_rendering import render_tensors
from facecom.guidance.rendering import render


def both(size: int = 48) -> list[Camera]:
    where = {"target": [0, 0, 0], "size": size, "yaw": 0.5, "pitch": -0.3}
    return [
        Camera.orthographic(half_mm=45, **where),
        Camera.pinhole(distance_mm=200, field_of_view=0.5, **where),
    ]


@pytest.mark.parametrize("camera", both(24), ids=["orthographic", "pinhole"])
def test_tensors_hold_the_values_of_the_picture(bumpy_ball, camera):
    picture, tensors = (
        render(bumpy_ball, camera),
        render_tensors(torch.tensor(bumpy_ball.vertices), bumpy_ball.faces, camera),
    )
    assert np.array_equal(tensors.pixels.numpy(), np.flatnonzero(picture.mask))
    for name, within in (("depth", 1e-3), ("normals", 1e-4), ("shading", 1e-4)):
        assert np.abs(getattr(tensors, name).numpy() - getattr(picture, name)[picture.mask]).max() < within


@pytest.mark.parametrize("camera", both(20), ids=["orthographic", "pinhole"])
@pytest.mark.parametrize("value", ["depth", "normals", "shading"])
def test_gradients_agree_with_finite_differences_of_the_picture(icosphere, camera, value):
    """Differences are of fresh pictures, visibility and all; pixels that change their face are left out."""
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
