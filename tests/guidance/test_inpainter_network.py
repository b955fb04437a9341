import numpy as np
import pytest

torch = pytest.importorskip("torch")
from facecom.guidance import inpainter_network as module  # noqa: E402
from facecom.guidance.inpainter_network import (  # noqa: E402
    FEATURE_COUNT,
    FIRST_ANSWER_CHANNEL,
    INPUT_CHANNELS,
    NORMAL_X_CHANNEL,
    ViewInput,
    input_channels,
    normalised_convolution,
    predict,
)

SIZE = 24


@pytest.fixture(scope="module")
def shown() -> ViewInput:
    """A face with a hole, unlike on both sides."""
    rng = torch.Generator().manual_seed(0)
    known = torch.ones(2, SIZE, SIZE)
    known[:, 6:14, 4:12] = 0
    other = torch.rand(2, SIZE, SIZE, generator=rng) < 0.7
    residual, theirs = torch.randn(2, 2, SIZE, SIZE, generator=rng)
    normals = torch.nn.functional.normalize(torch.randn(2, 3, SIZE, SIZE, generator=rng), dim=1)
    depth = 400 + 30 * torch.rand(2, SIZE, SIZE, generator=rng)
    return ViewInput(residual, known, theirs, other, 1 - known, depth, normals)


def flipped(shown: ViewInput) -> ViewInput:
    turned = {name: value.flip(-1) for name, value in vars(shown).items()}
    turned["normals"] = turned["normals"] * torch.tensor([-1.0, 1, 1]).view(1, 3, 1, 1)
    return ViewInput(**turned)


def test_what_is_the_same_everywhere_is_carried_as_it_is_and_fades_far_away():
    known = torch.zeros(1, 40, 40)
    known[:, :, :20] = 1
    found = normalised_convolution(1.5 * known, known, 2.0)[0]
    assert np.allclose(found[5:35, 5:17], 1.5, atol=0.06)
    assert (found[10, 19:25].diff() < 0).all()
    assert (found[:, 30:] == 0).all()


def test_nothing_comes_out_of_the_hole_or_of_what_is_unknown(shown):
    secret = ViewInput(**(vars(shown) | {
        "residual": torch.where(shown.known > 0, shown.residual, 1e6),
        "other_residual": torch.where(shown.other_known, shown.other_residual, 1e6),
    }))  # fmt: skip
    readout = torch.linspace(-1, 1, FEATURE_COUNT)
    assert torch.equal(input_channels(secret, readout, scale_mm=2.0), input_channels(shown, readout, scale_mm=2.0))


def test_the_mirrored_face_gives_the_mirrored_input(shown):
    readout = torch.linspace(-1, 1, FEATURE_COUNT)
    one, two = input_channels(shown, readout, scale_mm=2.0), input_channels(flipped(shown), readout, scale_mm=2.0)
    assert one.shape == (2, INPUT_CHANNELS, SIZE, SIZE)
    back = two.flip(-1)
    back[:, NORMAL_X_CHANNEL] *= -1
    assert torch.allclose(one, back, atol=1e-5)
    assert not torch.allclose(one, two, atol=1e-2)


def test_the_first_answer_is_the_readout_of_the_surroundings_and_scales_with_the_offsets(shown):
    readout = torch.linspace(-1, 1, FEATURE_COUNT)
    first = input_channels(shown, readout, scale_mm=2.0)[:, FIRST_ANSWER_CHANNEL]
    assert torch.allclose(
        first, (module.neighbourhood_features(shown, scale_mm=2.0) * readout.view(1, -1, 1, 1)).sum(1), atol=1e-5
    )
    twice = ViewInput(**(vars(shown) | {"residual": 2 * shown.residual, "other_residual": 2 * shown.other_residual}))
    assert torch.allclose(input_channels(twice, readout, scale_mm=2.0)[:, FIRST_ANSWER_CHANNEL], 2 * first, atol=1e-4)


def test_the_network_adds_to_the_first_answer_and_blocks_of_pixels_keep_their_place(shown):
    batch = input_channels(shown, torch.ones(FEATURE_COUNT), scale_mm=2.0)

    class Copy(torch.nn.Module):
        """Answers five of the channels, as they are."""

        def forward(self, packed, _):
            return type("Answer", (), {"sample": packed[:, : 5 * 4]})

    found = predict(Copy(), batch, pack=2)
    assert torch.allclose(found[:, 0], batch[:, 0] + batch[:, FIRST_ANSWER_CHANNEL])
    assert torch.equal(found[:, 1:], batch[:, 1:5])
