"""Learning rate and averaging that the guidance networks are trained with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

LAST_SHARE = 0.02
"""Share of the learning rate that is left at the end."""
AVERAGE_DECAY = 0.998
"""Decay a step of the running average of the weights, which is what is saved."""


def learning_rate(rate: float, *, share: float, step: int, warmup: int) -> float:
    """Linear warm-up over some steps, then a cosine from `rate` to `LAST_SHARE` of it (Loshchilov and Hutter 2017).

    Parameters
    ----------
    share : of the training that is over, 0 to 1
    step : since the training began or went on

    Examples
    --------
    >>> [round(learning_rate(1.0, share=s, step=99, warmup=10), 2) for s in (0.0, 0.5, 1.0)]
    [1.0, 0.51, 0.02]
    """
    warm = min(1.0, (step + 1) / warmup)
    return float(rate * warm * (LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + np.cos(np.pi * share))))


def update_average(averaged: Iterable[Tensor], weights: Iterable[Tensor], *, step: int) -> None:
    """Let a running average take in the weights of a step; at first it forgets faster."""
    share = min(AVERAGE_DECAY, (1 + step) / (10 + step))
    for mean, now in zip(averaged, weights, strict=True):
        if mean.is_floating_point():
            mean.lerp_(now.detach(), 1 - share)
        else:
            mean.copy_(now)
