"""Faces without end, drawn on the device that trains: two people of any population blended, an expression, a size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facecom.model.augmentation import (
    BLEND_OFFSET_SD_MM,
    BLEND_WIDTH_MM,
    JAW_OPEN,
    MIRRORED_SHARE,
    AugmentationSettings,
    ExpressionModel,
)
from facecom.model.expressions import ExpressionBasis
from facecom.model.template import SHAPE_LEVEL, Template
from training.people import People

SHARES = {"ict": 0.4, "flame": 0.2, "gnm": 0.15, "makehuman": 0.15, "vitruvian": 0.1}
"""Of the draws; those that are measured come more often."""
WIDER = (0.8, 1.3)
"""Range of the factor on a person's code."""


@dataclass(frozen=True, eq=False)
class FaceStream:
    """Populations and expressions on a device.

    modes : (K, V * 3); owner : (K,) int, which population a mode is of; offsets : (P, V * 3), means from the template's
    """

    base: Tensor
    modes: Tensor
    owner: Tensor
    offsets: Tensor
    shares: Tensor
    mirror: Tensor
    expressions: Tensor
    expression_sd: Tensor
    size_sd: float

    @classmethod
    def of(cls, people: Sequence[People], *, device: torch.device) -> FaceStream:
        """Everybody and the shipped expressions; the jaw's rotation is left to its mode's direction."""
        template, settings = Template.load(), AugmentationSettings()
        count = template.counts[SHAPE_LEVEL]
        basis = ExpressionBasis.load()
        moved = ExpressionModel.from_basis(template, basis)

        kept = [k for k, name in enumerate(moved.names) if name != JAW_OPEN]
        offsets = [p.offset for p in people]
        owners = [np.full(len(p.modes), k) for k, p in enumerate(people)]
        on = {"device": device, "dtype": torch.float32}
        return cls(
            base=torch.tensor(template.vertices[:count], **on),
            modes=torch.tensor(np.concatenate([p.modes.reshape(len(p.modes), -1) for p in people]), **on),
            owner=torch.tensor(np.concatenate(owners), device=device),
            offsets=torch.tensor(np.stack(offsets).reshape(len(people), -1), **on),
            shares=torch.tensor([SHARES[p.name] for p in people], **on),
            mirror=torch.tensor(template.mirror[:count].copy(), device=device),
            expressions=torch.tensor(moved.modes[kept].reshape(len(kept), -1), **on),
            expression_sd=torch.tensor([settings.sd_of(moved.names[k]) for k in kept], **on),
            size_sd=settings.size_sd,
        )

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Faces (count, V, 3), mm, face frame."""
        first, second = self._people(count, random), self._people(count, random)
        weight = self._blend(count, random)[..., None]
        # a blend has less variance than its parts; the root gives it back
        moved = (weight * first + (1 - weight) * second) / (weight**2 + (1 - weight) ** 2).sqrt()
        drawn = torch.randn((count, len(self.expression_sd)), device=self.base.device, generator=random)
        moved += ((drawn * self.expression_sd).clamp(0, 1) @ self.expressions).reshape(moved.shape)
        size = (self.size_sd * torch.randn((count, 1, 1), device=self.base.device, generator=random)).exp()
        return (self.base + moved) * size

    def _people(self, count: int, random: torch.Generator) -> Tensor:
        """Displacements (count, V, 3) of single people, half of them mirrored."""
        device = self.base.device
        who = torch.multinomial(self.shares, count, replacement=True, generator=random)
        low, high = WIDER
        width = low + (high - low) * torch.rand((count, 1), device=device, generator=random)
        code = width * torch.randn((count, len(self.modes)), device=device, generator=random)
        moved = ((code * (self.owner == who[:, None])) @ self.modes + self.offsets[who]).reshape(count, -1, 3)
        flipped = moved[:, self.mirror] * torch.tensor([-1.0, 1.0, 1.0], device=device)
        flip = torch.rand((count, 1, 1), device=device, generator=random) < MIRRORED_SHARE
        return torch.where(flip, flipped, moved)

    def _blend(self, count: int, random: torch.Generator) -> Tensor:
        """How much of the first person each vertex takes, 0..1, (count, V)."""
        device = self.base.device
        direction = torch.nn.functional.normalize(torch.randn((count, 3), device=device, generator=random), dim=1)
        along = direction @ self.base.T
        offset = BLEND_OFFSET_SD_MM * torch.randn((count, 1), device=device, generator=random)
        low, high = BLEND_WIDTH_MM
        width = low + (high - low) * torch.rand((count, 1), device=device, generator=random)
        return torch.sigmoid((along - along.median(dim=1, keepdim=True).values - offset) / width)


def waves(points: Tensor, random: torch.Generator, *, shortest_mm: float, longest_mm: float, number: int = 6) -> Tensor:
    """A smooth random function of about unit size at points (N, ..., 3): (N, ...)."""
    device, shape = points.device, (len(points), number)
    low, high = math.log(shortest_mm), math.log(longest_mm)
    length = (low + (high - low) * torch.rand(shape, device=device, generator=random)).exp()
    direction = torch.nn.functional.normalize(torch.randn((*shape, 3), device=device, generator=random), dim=-1)
    phase = 2 * math.pi * torch.rand(shape, device=device, generator=random)
    flat = points.flatten(1, -2) if points.ndim > 2 else points[:, None]
    angle = torch.einsum("npd,nkd->npk", flat, 2 * math.pi * direction / length[..., None]) + phase[:, None]
    return (math.sqrt(2 / number) * angle.sin().sum(-1)).reshape(points.shape[:-1])
