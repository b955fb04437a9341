"""What tests of guidance share."""

from collections.abc import Callable

import pytest


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
