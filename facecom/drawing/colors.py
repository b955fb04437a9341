"""Colours of all pictures, pages and plots, distinguishable for colour-blind readers and in grey print."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, Ints
from facecom.provenance import Provenance

RGB = tuple[float, float, float]
OBSERVED: RGB = (0.82, 0.82, 0.80)
MIRRORED: RGB = (0.35, 0.62, 0.86)
MODEL: RGB = (0.93, 0.56, 0.25)
GUIDED: RGB = (0.36, 0.72, 0.55)
SYNTHESISED: RGB = (0.72, 0.50, 0.78)
PROVENANCE = {
    Provenance.OBSERVED: OBSERVED,
    Provenance.MIRRORED: MIRRORED,
    Provenance.MODEL: MODEL,
    Provenance.GUIDED: GUIDED,
    Provenance.SYNTHESISED: SYNTHESISED,
}
"""The colour of each `Provenance`, the same in every picture, page and plot."""
DOUBTFUL: RGB = (0.93, 0.83, 0.30)
"""What of a scan may be no skin."""
NO_VALUE: RGB = (0.72, 0.72, 0.74)
"""Where a value is not defined."""
PLAIN: RGB = (0.82, 0.80, 0.77)
"""A surface without values."""

SEQUENTIAL = ((0.94, 0.94, 0.88), (0.99, 0.82, 0.42), (0.92, 0.45, 0.22), (0.62, 0.12, 0.32), (0.22, 0.04, 0.28))
"""Colour map of small to large values, light to dark."""
DIVERGING = ((0.13, 0.33, 0.62), (0.49, 0.69, 0.87), (0.95, 0.95, 0.93), (0.93, 0.62, 0.42), (0.66, 0.15, 0.16))
"""Colour map of signed values, inwards to outwards, light at zero."""
SCALE_PERCENTILE = 98
"""A scale ends near this percentile of the values, so that outliers do not flatten the rest."""


def color_values(
    values: ArrayLike,
    color_map: tuple[RGB, ...],
    *,
    low: float,
    high: float,
    shown: ArrayLike | None = None,
) -> Floats:
    """Colour of each value, linear between the anchors of a colour map; values beyond its ends take the end colours.

    Parameters
    ----------
    values : (V,) float
    color_map : anchors, evenly spaced from `low` to `high`
    shown : (V,) bool; the others are grey, and may be NaN

    Returns
    -------
    (V, 3) float in 0..1

    Raises
    ------
    ValueError
        When `high` is not above `low`.

    Examples
    --------
    >>> color_values([0.0, 1.0], SEQUENTIAL, low=0, high=1)[0].tolist() == list(SEQUENTIAL[0])
    True
    """
    if not high > low:
        raise ValueError(f"the scale needs high above low, got {low:g} to {high:g}")
    keep = np.ones(np.shape(values), bool) if shown is None else np.asarray(shown, bool)
    position = (np.where(keep, values, low) - low) / (high - low)
    anchors = np.asarray(color_map)
    steps = np.linspace(0.0, 1.0, len(anchors))
    colors = np.stack([np.interp(position, steps, column) for column in anchors.T], axis=-1)
    return np.where(keep[:, None], colors, NO_VALUE)


def css(color: RGB) -> str:
    """The colour in CSS notation.

    Examples
    --------
    >>> css((1.0, 0.5, 0.0))
    '#ff8000'
    """
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)


def scale_end(values: Floats) -> float:
    """The end of a scale for lengths (N,) of at least zero: a round number above nearly all; 1 where there are none.

    Examples
    --------
    >>> scale_end(np.array([0.1, 0.2, 0.3])), scale_end(np.zeros(0))
    (0.5, 1.0)
    """
    return round_up(float(np.percentile(values, SCALE_PERCENTILE))) if len(values) else 1.0


def sigma_scale_end(sigma_mm: Floats, provenance: Ints) -> float:
    """The end of a scale for standard deviations (N,): that of what is made up, however little that is.

    Parameters
    ----------
    provenance : (N,) int, `Provenance` of each value; where all is observed, the scale is that of all

    Examples
    --------
    >>> sigma_scale_end(np.array([0.1] * 99 + [2.5]), np.array([0] * 99 + [2]))
    5.0
    """
    made_up = np.asarray(provenance) != Provenance.OBSERVED
    return scale_end(sigma_mm[made_up] if made_up.any() else sigma_mm)


def round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten; 1 for zero and below.

    Examples
    --------
    >>> round_up(0.13), round_up(3.0)
    (0.2, 5.0)
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(round(next(k * power for k in (1, 2, 5, 10) if k * power >= value * (1 - 1e-9)), 12))
