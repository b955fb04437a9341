"""What the inpainter's network is shown and how its answer is read: tensors, the same in training and in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle

CHANNELS = 14
OUTPUTS = 5
"""Offset, logarithm of its sigma, change of the normal."""
SIDEWAYS = 11
"""The input channel that holds how far the fitted face's normals point to the right of the picture."""
FIRST = 3
"""The input channel that holds the first answer, to which the network's is added."""
DEEP_MM = 60.0
REACHES = (2.0, 4.0, 8.0)
"""How far the surroundings of a pixel go: standard deviations of Gaussians, pixels."""
READINGS = 1 + 7 * len(REACHES)
"""Entries of `surroundings`."""
LEAST_SHARE = 0.02
"""Where less than this share of a pixel's surroundings is known, what they say fades."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What N views show, (N, H, W) unless said otherwise; lengths in mm, along the fitted face's normals.

    residual, known : scan before (negative) or behind the fitted face, and where the scan shows it
    other_residual, other_known : the same of the other side of the face, flipped into place
    mask : the hole; depth : of the fitted face, zero where it does not show; normals : (N, 3, H, W), camera frame
    """

    residual: Tensor
    known: Tensor
    other_residual: Tensor
    other_known: Tensor
    mask: Tensor
    depth: Tensor
    normals: Tensor


def surroundings(shown: Shown, *, scale_mm: float) -> Tensor:
    """What a pixel's surroundings and the other side of the face say of its offset, (N, K, H, W).

    What is known nearby, carried in from several distances (normalised convolution; Knutsson and Westin 1993), what the
    other side shows in its place, and by how much both sides differ nearby; each where the other side is known, and
    where not, and again weighed by how much is known nearby.
    """
    known, other = shown.known.float(), shown.other_known.float()
    residual, mirrored = shown.residual * known / scale_mm, shown.other_residual * other / scale_mm
    both = known * other
    readings = [mirrored]
    for reach in REACHES:
        near = carried(residual, known, reach)
        differs = other * carried((residual - mirrored) * both, both, reach)
        readings += [near * gate * share for gate in (other, 1 - other) for share in (1.0, _blurred(known, reach))]
        readings += [differs, differs * _blurred(both, reach), other * carried(mirrored, other, reach)]
    return torch.stack(readings, dim=1)


def channels(shown: Shown, readout: Tensor, *, scale_mm: float) -> Tensor:
    """The network's input (N, 14, H, W).

    Parameters
    ----------
    readout : (K,), what the entries of `surroundings` count in the first answer, from which the network starts
    """
    known, other = shown.known.float(), shown.other_known.float()
    residual, mirrored = shown.residual * known / scale_mm, shown.other_residual * other / scale_mm
    first = torch.einsum("k,nkhw->nhw", readout, surroundings(shown, scale_mm=scale_mm))
    both = known * other
    face = (shown.depth != 0).float()
    middle = (shown.depth * face).sum((1, 2), keepdim=True) / face.sum((1, 2), keepdim=True).clamp(min=1)
    pictures = [residual, known, shown.mask.float(), first, carried(residual, known, REACHES[0]),
                carried(residual, known, REACHES[-1]), mirrored, other,
                carried((residual - mirrored) * both, both, REACHES[1]), face,
                (shown.depth - middle) * face / DEEP_MM]  # fmt: skip
    return torch.cat([torch.stack(pictures, dim=1), shown.normals], dim=1)


def carried(values: Tensor, known: Tensor, sigma: float) -> Tensor:
    """Known values (N, H, W), zero elsewhere, averaged over a Gaussian about each pixel; zero far from them."""
    return _blurred(values, sigma) / (_blurred(known, sigma) + LEAST_SHARE)


def _blurred(pictures: Tensor, sigma: float) -> Tensor:
    reach = int(2.5 * sigma)
    along = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=pictures.dtype) / sigma) ** 2)
    along = along / along.sum()
    rows = conv2d(pictures[:, None], along.view(1, 1, -1, 1), padding=(reach, 0))
    return conv2d(rows, along.view(1, 1, 1, -1), padding=(0, reach))[:, 0]


def answer(network: torch.nn.Module, batch: Tensor, *, pack: int) -> Tensor:
    """The answer (N, 5, H, W) to `channels`, in its scale; blocks of `pack` x `pack` pixels pass the network as one."""
    found = pixel_shuffle(network(pixel_unshuffle(batch, pack), 0).sample, pack)
    return torch.cat([found[:, :1] + batch[:, FIRST : FIRST + 1], found[:, 1:]], dim=1)
