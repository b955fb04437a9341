"""The shipped networks run by torch alone: the same numbers as the packages that trained them give."""

import json

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
from facecom.errors import CheckpointError  # noqa: E402
from facecom.guidance.shipped_networks import ShippedSegformer, ShippedUNet, read_weights  # noqa: E402

UNET = {"sample_size": 8, "in_channels": 3, "out_channels": 2, "block_out_channels": (4, 8, 12), "norm_num_groups": 2}
UNET |= {"down_block_types": ("DownBlock2D",) * 3, "up_block_types": ("UpBlock2D",) * 3}
SEGFORMER = {"depths": [1, 2, 1, 1], "hidden_sizes": [4, 8, 8, 12], "num_attention_heads": [1, 2, 2, 4]}
SEGFORMER |= {"sr_ratios": [4, 2, 2, 1], "strides": [3, 2, 2, 2], "mlp_ratios": [2] * 4, "decoder_hidden_size": 8}


def stored(network, folder, weights):
    network.save_pretrained(folder)
    return json.loads((folder / "config.json").read_text()), read_weights(folder / weights)


def shaken(network):
    """All weights away from what they start with: biases from zero, the batch norm's averages from 0 and 1."""
    rng = torch.Generator().manual_seed(0)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value += 0.2 * torch.rand(value.shape, generator=rng)
    return network.eval()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("time", [0, 37])
def test_the_u_net_answers_as_diffusers_does(tmp_path, layers, time):
    theirs = shaken(diffusers.UNet2DModel(**UNET, layers_per_block=layers, add_attention=False))
    ours = ShippedUNet(*stored(theirs, tmp_path, "diffusion_pytorch_model.safetensors"))
    batch = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted, found = theirs(batch, time).sample, ours(batch, time).sample
    assert wanted.std() > 0.01
    assert torch.allclose(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [48, 44])
def test_the_segformer_answers_as_transformers_does(tmp_path, side):
    config = transformers.SegformerConfig(**SEGFORMER, id2label={k: str(k) for k in range(5)})
    theirs = shaken(transformers.SegformerForSemanticSegmentation(config))
    ours = ShippedSegformer(*stored(theirs, tmp_path, "model.safetensors"))
    batch = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted, found = theirs(batch).logits, ours(batch).logits
    assert wanted.std() > 0.01
    assert torch.allclose(found, wanted, atol=1e-5, rtol=1e-4)


def test_networks_of_another_kind_are_refused(tmp_path):
    other = diffusers.UNet2DModel(**UNET | {"down_block_types": ("DownBlock2D",) * 2 + ("AttnDownBlock2D",)})
    with pytest.raises(CheckpointError, match="another kind.*AttnDownBlock2D"):
        ShippedUNet(*stored(other, tmp_path, "diffusion_pytorch_model.safetensors"))
    with pytest.raises(CheckpointError, match="another kind.*bert"):
        ShippedSegformer({"model_type": "bert"}, {})
