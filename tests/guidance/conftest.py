"""What tests of guidance share."""

from collections.abc import Callable

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.guidance.camera import Camera
from facecom.guidance.inpainting import hole_mask
from facecom.guidance.rendering import Render, render

SIZE = 16


@pytest.fixture(scope="session")
def small_unet() -> Callable[..., object]:
    """Factory of diffusers' U-Net in the shipped one's build, of few weights: `small_unet(size, channels=...)`."""
    diffusers = pytest.importorskip("diffusers")

    def make(size: int, *, channels: tuple[int, int] = (3, 3), widths: tuple[int, ...] = (4, 8)) -> object:
        pytest.importorskip("torch").manual_seed(0)
        return diffusers.UNet2DModel(
            sample_size=size,
            in_channels=channels[0],
            out_channels=channels[1],
            block_out_channels=widths,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            layers_per_block=1,
            norm_num_groups=2,
            add_attention=False,
        )

    return make


@pytest.fixture(scope="session")
def bumpy_ball(icosphere) -> Mesh:
    """A bumpy ball of radius 40 mm, unlike its mirror image."""
    sphere = icosphere(4, radius=40.0)
    x, y, z = sphere.vertices.T
    return sphere.with_vertices(sphere.vertices * (1 + 0.05 * np.sin(x / 9) * np.cos(y / 7 + z / 11))[:, None])


@pytest.fixture(scope="session")
def views(icosphere) -> tuple[Render, Render]:
    """A ball with a hole towards the viewer, and the whole ball, slightly larger."""
    ball = icosphere(4, radius=40.0)
    middle = ball.vertices[ball.faces].mean(1)
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=45, size=SIZE)
    whole = Mesh(ball.vertices * 1.02, ball.faces)
    return render(ball.submesh(np.linalg.norm(middle - [0, 10, 40], axis=1) > 20)[0], camera), render(whole, camera)


@pytest.fixture(scope="session")
def mask(views) -> np.ndarray:
    return hole_mask(*views)
