"""Input and output of the inpainter's network as tensors, the same in training and in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle

INPUT_CHANNELS = 14
OUTPUT_CHANNELS = 5
"""Offset, logarithm of its sigma, change of the normal."""
NORMAL_X_CHANNEL = 11
"""The input channel that holds how far the fitted face's normals point to the right of the image."""
FIRST_ANSWER_CHANNEL = 3
"""The input channel that holds the linear readout's answer, to which the network's is added."""
DEPTH_SCALE_MM = 60.0
"""Depth, from the middle of the face, that stands for one in the network's input."""
BLUR_SIGMAS_PX = (2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians over which a pixel's neighbourhood is averaged, pixels."""
BLUR_REACH = 2.5
"""Where a Gaussian is cut, in standard deviations."""
FEATURE_COUNT = 1 + 7 * len(BLUR_SIGMAS_PX)
"""Entries of `neighbourhood_features`."""
MIN_KNOWN_SHARE = 0.02
"""Where less than this share of a pixel's neighbourhood is known, what it says fades."""


@dataclass(frozen=True, eq=False)
class ViewInput:
    """What N views show, (N, H, W) unless said otherwise; lengths in mm, along the fitted face's normals.

    residual, known : scan in front of (negative) or behind the fitted face, and where the scan shows it
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


def neighbourhood_features(view: ViewInput, *, scale_mm: float) -> Tensor:
    """What a pixel's neighbourhood and the other side of the face say of its offset, (N, K, H, W).

    The residual nearby over several distances (normalised convolution; Knutsson and Westin 1993), that of the mirrored
    pixel, and by how much both sides differ nearby; each where the other side is known, and where not, and again
    weighed by how much is known nearby.
    """
    known, other = view.known.float(), view.other_known.float()
    residual, mirrored = view.residual * known / scale_mm, view.other_residual * other / scale_mm
    both = known * other
    features = [mirrored]
    for sigma in BLUR_SIGMAS_PX:
        near = normalised_convolution(residual, known, sigma)
        differs = other * normalised_convolution((residual - mirrored) * both, both, sigma)
        features += [near * gate * share for gate in (other, 1 - other) for share in (1.0, _blurred(known, sigma))]
        features += [differs, differs * _blurred(both, sigma), other * normalised_convolution(mirrored, other, sigma)]
    return torch.stack(features, dim=1)


def input_channels(view: ViewInput, readout: Tensor, *, scale_mm: float) -> Tensor:
    """The network's input (N, 14, H, W).

    Parameters
    ----------
    readout : (K,), weights of `neighbourhood_features` in the first answer, from which the network starts
    """
    known, other = view.known.float(), view.other_known.float()
    residual, mirrored = view.residual * known / scale_mm, view.other_residual * other / scale_mm
    first = torch.einsum("k,nkhw->nhw", readout, neighbourhood_features(view, scale_mm=scale_mm))
    both = known * other
    face = (view.depth != 0).float()
    middle = (view.depth * face).sum((1, 2), keepdim=True) / face.sum((1, 2), keepdim=True).clamp(min=1)
    images = [residual, known, view.mask.float(), first, normalised_convolution(residual, known, BLUR_SIGMAS_PX[0]),
              normalised_convolution(residual, known, BLUR_SIGMAS_PX[-1]), mirrored, other,
              normalised_convolution((residual - mirrored) * both, both, BLUR_SIGMAS_PX[1]), face,
              (view.depth - middle) * face / DEPTH_SCALE_MM]  # fmt: skip
    return torch.cat([torch.stack(images, dim=1), view.normals], dim=1)


def normalised_convolution(values: Tensor, known: Tensor, sigma: float) -> Tensor:
    """Known values (N, H, W), zero elsewhere, averaged over a Gaussian about each pixel; zero far from them."""
    return _blurred(values, sigma) / (_blurred(known, sigma) + MIN_KNOWN_SHARE)


def _blurred(images: Tensor, sigma: float) -> Tensor:
    reach = int(BLUR_REACH * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=images.dtype) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    rows = conv2d(images[:, None], kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return conv2d(rows, kernel.view(1, 1, 1, -1), padding=(0, reach))[:, 0]


def predict(network: torch.nn.Module, batch: Tensor, *, pack: int) -> Tensor:
    """The answer (N, 5, H, W) to `input_channels`, in its scale; blocks of `pack` x `pack` pixels pass as one."""
    found = pixel_shuffle(network(pixel_unshuffle(batch, pack), 0).sample, pack)
    first = FIRST_ANSWER_CHANNEL
    return torch.cat([found[:, :1] + batch[:, first : first + 1], found[:, 1:]], dim=1)
