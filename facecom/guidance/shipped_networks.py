"""The shipped networks, run from their own files by torch alone.

Importing diffusers and transformers takes longer than all views together. What they compute for these two networks
is little: it stands here, and the tests hold it to theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import (
    batch_norm,
    conv2d,
    gelu,
    group_norm,
    interpolate,
    layer_norm,
    linear,
    scaled_dot_product_attention,
    silu,
)

from facecom.errors import CheckpointError

UNET_KIND: Mapping[str, Any] = {
    "_class_name": "UNet2DModel",
    "act_fn": "silu",
    "add_attention": False,
    "class_embed_type": None,
    "downsample_padding": 1,
    "mid_block_scale_factor": 1,
    "resnet_time_scale_shift": "default",
    "time_embedding_type": "positional",
}
SEGFORMER_KIND: Mapping[str, Any] = {"model_type": "segformer", "hidden_act": "gelu", "reshape_last_stage": True}
EPS = 1e-5
"""Added to variances by batch and layer normalisation, as the libraries have it."""
LONGEST_PERIOD = 10000.0
"""Of the sinusoids of the time embedding (Vaswani et al. 2017, section 3.5)."""


class Sample(NamedTuple):
    """The answer of a U-Net, named as diffusers names it."""

    sample: Tensor


class Logits(NamedTuple):
    """The answer of a parser, named as transformers names it."""

    logits: Tensor


class _Network(torch.nn.Module):
    """Weights by the names of the file, and the few layers that both networks are made of."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._config = dict(config)
        self._weights = {name: value.float() for name, value in weights.items()}

    def _affine(self, name: str) -> tuple[Tensor, Tensor]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def _conv(self, x: Tensor, name: str, **options: Any) -> Tensor:
        return conv2d(x, *self._affine(name), **options)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return linear(x, *self._affine(name))

    def _layer_norm(self, x: Tensor, name: str) -> Tensor:
        return layer_norm(x, x.shape[-1:], *self._affine(name), EPS)


class ShippedUNet(_Network):
    """diffusers' UNet2DModel of DownBlock2D and UpBlock2D without attention (Ho et al. 2020, appendix B).

    Parameters
    ----------
    config, weights : what config.json and the safetensors file hold

    Raises
    ------
    CheckpointError
        For a U-Net of other blocks.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__(config, weights)
        depth = len(config.get("block_out_channels", ()))
        blocks = {"down_block_types": ["DownBlock2D"] * depth, "up_block_types": ["UpBlock2D"] * depth}
        _check_kind(config, {**UNET_KIND, **blocks})

    def forward(self, batch: Tensor, time: float) -> Sample:
        """The answer to a batch (N, C, H, W) at a time."""
        depth, layers = len(self._config["block_out_channels"]), self._config["layers_per_block"]
        embedding = silu(self._linear(self._time_embedding(time), "time_embedding.linear_1"))
        embedding = silu(self._linear(embedding, "time_embedding.linear_2"))
        x = self._conv(batch, "conv_in", padding=1)
        skips = [x]
        for k in range(depth):
            for j in range(layers):
                x = self._resnet(x, embedding, f"down_blocks.{k}.resnets.{j}")
                skips.append(x)
            if k + 1 < depth:
                x = self._conv(x, f"down_blocks.{k}.downsamplers.0.conv", stride=2, padding=1)
                skips.append(x)
        for j in range(2):
            x = self._resnet(x, embedding, f"mid_block.resnets.{j}")
        for k in range(depth):
            for j in range(layers + 1):
                x = self._resnet(torch.cat([x, skips.pop()], dim=1), embedding, f"up_blocks.{k}.resnets.{j}")
            if k + 1 < depth:
                x = self._conv(interpolate(x, scale_factor=2.0), f"up_blocks.{k}.upsamplers.0.conv", padding=1)
        return Sample(self._conv(silu(self._norm(x, "conv_norm_out")), "conv_out", padding=1))

    def _time_embedding(self, time: float) -> Tensor:
        half = self._config["block_out_channels"][0] // 2
        rate = torch.exp(-math.log(LONGEST_PERIOD) * torch.arange(half) / (half - self._config["freq_shift"]))
        waves = [torch.sin(time * rate), torch.cos(time * rate)]
        return torch.cat(waves[::-1] if self._config["flip_sin_to_cos"] else waves)[None]

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return group_norm(x, self._config["norm_num_groups"], *self._affine(name), self._config["norm_eps"])

    def _resnet(self, x: Tensor, embedding: Tensor, name: str) -> Tensor:
        inner = self._conv(silu(self._norm(x, f"{name}.norm1")), f"{name}.conv1", padding=1)
        inner = inner + self._linear(embedding, f"{name}.time_emb_proj")[..., None, None]
        inner = self._conv(silu(self._norm(inner, f"{name}.norm2")), f"{name}.conv2", padding=1)
        straight = f"{name}.conv_shortcut"
        return inner + (self._conv(x, straight) if f"{straight}.weight" in self._weights else x)


class ShippedSegformer(_Network):
    """transformers' SegformerForSemanticSegmentation (Xie et al. 2021).

    Parameters
    ----------
    config, weights : what config.json and the safetensors file hold

    Raises
    ------
    CheckpointError
        For a network of another kind.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__(config, weights)
        _check_kind(config, SEGFORMER_KIND)

    def forward(self, batch: Tensor) -> Logits:
        """The logits (N, C, h, w) of images (N, 3, H, W)."""
        x = batch
        stages: list[Tensor] = []
        for k in range(len(self._config["depths"])):
            x = self._stage(x, k)
            projected = self._linear(x.movedim(1, -1), f"decode_head.linear_c.{k}.proj").movedim(-1, 1)
            stages.append(interpolate(projected, (stages or [x])[0].shape[2:], mode="bilinear", align_corners=False))
        head = "decode_head.batch_norm"
        x = conv2d(torch.cat(stages[::-1], dim=1), self._weights["decode_head.linear_fuse.weight"])
        spread = self._weights[f"{head}.running_mean"], self._weights[f"{head}.running_var"]
        x = batch_norm(x, *spread, *self._affine(head), eps=EPS)
        return Logits(self._conv(x.relu(), "decode_head.classifier"))

    def _stage(self, x: Tensor, k: int) -> Tensor:
        name, patch = f"segformer.encoder.patch_embeddings.{k}", self._config["patch_sizes"][k]
        x = self._conv(x, f"{name}.proj", stride=self._config["strides"][k], padding=patch // 2)
        rows = x.shape[2]
        x = self._layer_norm(x.flatten(2).transpose(1, 2), f"{name}.layer_norm")
        for j in range(self._config["depths"][k]):
            block = f"segformer.encoder.block.{k}.{j}"
            x = x + self._attention(self._layer_norm(x, f"{block}.layer_norm_1"), f"{block}.attention", k, rows)
            x = x + self._mix_tokens(self._layer_norm(x, f"{block}.layer_norm_2"), f"{block}.mlp", rows)
        return _to_image(self._layer_norm(x, f"segformer.encoder.layer_norm.{k}"), rows)

    def _attention(self, x: Tensor, name: str, k: int, rows: int) -> Tensor:
        heads, ratio, keys = self._config["num_attention_heads"][k], self._config["sr_ratios"][k], x
        if ratio > 1:
            keys = self._conv(_to_image(x, rows), f"{name}.self.sr", stride=ratio)
            keys = self._layer_norm(keys.flatten(2).transpose(1, 2), f"{name}.self.layer_norm")
        parts = [(x, "query"), (keys, "key"), (keys, "value")]
        split = [self._linear(v, f"{name}.self.{own}").unflatten(2, (heads, -1)).transpose(1, 2) for v, own in parts]
        return self._linear(scaled_dot_product_attention(*split).transpose(1, 2).flatten(2), f"{name}.output.dense")

    def _mix_tokens(self, x: Tensor, name: str, rows: int) -> Tensor:
        x = _to_image(self._linear(x, f"{name}.dense1"), rows)
        x = self._conv(x, f"{name}.dwconv.dwconv", padding=1, groups=x.shape[1])
        return self._linear(gelu(x.flatten(2).transpose(1, 2)), f"{name}.dense2")


def _to_image(x: Tensor, rows: int) -> Tensor:
    """Tokens (N, rows * columns, C) as an image (N, C, rows, columns)."""
    return x.transpose(1, 2).unflatten(2, (rows, -1))


def _check_kind(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    other = {name: config.get(name) for name, value in wanted.items() if config.get(name) != value}
    if other:
        raise CheckpointError(f"the network is of another kind than this reads: {other}")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name."""
    from safetensors.torch import load_file

    return load_file(path)
