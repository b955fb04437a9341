"""Adjust quilted relief: let it meet the observed relief at the rim, and give its histogram the skewness of skin."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Floats
from facecom.skin.height_patches import HeightPatches
from facecom.skin.quilting import QuiltTarget

SKEWNESS_BANDS = 3
"""The finest bands, whose sum has a skewness: longer waves have none of their own."""
MIN_VALID_SHARE = 0.8
"""Share of valid pixels from which on a height map tells a skewness."""
RIM_STRIP_MM = 0.3
"""Width of the observed strip at the rim that made relief is bent to meet."""
RIM_NEIGHBOURS, RIM_NEIGHBOUR_MM = 8, 0.2
"""Observed vertices over which the step at the rim is averaged, and the deviation of their weights by distance."""
BLEND_REACHES = 3
"""Vertices deeper than this many times the reach are not bent."""
SKEWNESS_PER_AMOUNT = 6.0
"""Skewness that a quadratic change of a normal variable gains for each unit of it, to first order."""
MAX_AMOUNT = 0.12
"""Largest such change."""
MAX_DEVIATIONS, MAX_CHANGE = 4, 8.0
"""Outliers are cut at so many deviations when the skewness is measured, and their change at so much."""


def continue_over_rim(quilted: Floats, target: QuiltTarget, *, reach_mm: float) -> Floats:
    """Relief (P,) of all vertices: observed, and quilted elsewhere, bent to meet the observed one at the rim.

    Parameters
    ----------
    quilted : (P,) float, mm
    target : QuiltTarget
    reach_mm : float, distance over which it is bent
    """
    near = target.observed & (target.depth > -RIM_STRIP_MM)
    out = np.where(target.observed, target.relief, quilted)
    ids = np.flatnonzero(~target.observed & (target.depth < BLEND_REACHES * reach_mm))
    if not near.any() or not len(ids):
        return out
    tree = cKDTree(target.points[near])
    distance, found = tree.query(target.points[ids], k=min(RIM_NEIGHBOURS, int(near.sum())), workers=-1)
    step = (target.relief - quilted)[near]
    weight = np.exp(-0.5 * ((distance - distance[:, :1]) / RIM_NEIGHBOUR_MM) ** 2)
    mean_step = (weight * step[found]).sum(1) / weight.sum(1)
    out[ids] += mean_step * np.exp(-0.5 * (distance[:, 0] / reach_mm) ** 2)
    return out


def expected_skewness(height_patches: HeightPatches, prior: float, prior_weight: float) -> float:
    """Skewness that the made relief should have: the observed one, drawn to `prior` with weight `prior_weight`."""
    image = height_patches.bands[:, :SKEWNESS_BANDS].sum(1).astype(float)
    full = np.flatnonzero(height_patches.valid.mean((1, 2)) > MIN_VALID_SHARE)
    if not len(full):
        return prior
    each = [skewness(image[k][height_patches.valid[k]]) for k in full]
    return (1 - prior_weight) * float(np.median(each)) + prior_weight * prior


def skewness(values: Floats) -> float:
    """Third standardised moment of some values.

    Examples
    --------
    >>> round(skewness(np.array([0.0, 0.0, 0.0, 4.0])), 3)
    1.155
    """
    centred = values - values.mean()
    return float((centred**3).mean() / max(centred.std(), 1e-12) ** 3)


def skewness_offset(relief: Floats, target: QuiltTarget, *, wanted: float) -> Floats:
    """Small quadratic change (P,) of made relief that gives its histogram the wanted skewness.

    Parameters
    ----------
    relief : (P,) float, mm
    target : QuiltTarget; where observed the change is zero
    wanted : float
    """
    spread = np.sqrt(np.exp(target.log_power[:, :SKEWNESS_BANDS]).sum(1))
    standardised = relief / np.maximum(spread, 1e-9)
    made = ~target.observed
    found = skewness(np.clip(standardised[made], -MAX_DEVIATIONS, MAX_DEVIATIONS))
    amount = np.clip((wanted - found) / SKEWNESS_PER_AMOUNT, -MAX_AMOUNT, MAX_AMOUNT)
    return amount * spread * np.clip(standardised**2 - 1.0, -1.0, MAX_CHANGE) * made
