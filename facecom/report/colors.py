"""One set of colours for every picture, page and plot, told apart by colour-blind eyes and in grey print."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats

MEASURED = (0.82, 0.82, 0.80)
MADE = (0.93, 0.56, 0.25)
MADE_MIRRORED = (0.35, 0.62, 0.86)
"""Made up, while the scan shows the same place on the other side of the face."""
MADE_GUIDED = (0.36, 0.72, 0.55)
MADE_SYNTHESISED = (0.72, 0.50, 0.78)
UNSEEN = (0.72, 0.72, 0.74)
"""Where there is nothing to compare with."""
PLAIN = (0.82, 0.80, 0.77)

SEQUENTIAL = ((0.94, 0.94, 0.88), (0.99, 0.82, 0.42), (0.92, 0.45, 0.22), (0.62, 0.12, 0.32), (0.22, 0.04, 0.28))
"""Small to large, light to dark."""
DIVERGING = ((0.13, 0.33, 0.62), (0.49, 0.69, 0.87), (0.95, 0.95, 0.93), (0.93, 0.62, 0.42), (0.66, 0.15, 0.16))
"""Inwards to outwards, light at zero."""


def colour_values(
    values: ArrayLike,
    scale: tuple[tuple[float, float, float], ...],
    *,
    low: float,
    high: float,
    shown: ArrayLike | None = None,
) -> Floats:
    """Colour of each value, (V, 3) in 0..1, linear between the anchors of a scale; beyond the ends the end colours.

    Parameters
    ----------
    values : (V,) float
    scale : anchors, evenly spaced from `low` to `high`
    shown : (V,) bool; the others are grey, and may hold anything

    Raises
    ------
    ValueError
        When `high` is not above `low`.

    Examples
    --------
    >>> colour_values([0.0, 1.0], SEQUENTIAL, low=0, high=1)[0].tolist() == list(SEQUENTIAL[0])
    True
    """
    if not high > low:
        raise ValueError(f"the scale needs high above low, got {low:g} to {high:g}")
    keep = np.ones(np.shape(values), bool) if shown is None else np.asarray(shown, bool)
    place = (np.where(keep, values, low) - low) / (high - low)
    anchors = np.asarray(scale)
    steps = np.linspace(0.0, 1.0, len(anchors))
    colours = np.stack([np.interp(place, steps, column) for column in anchors.T], axis=-1)
    return np.where(keep[:, None], colours, UNSEEN)


def css(colour: tuple[float, float, float]) -> str:
    """The colour as a style sheet writes it.

    Examples
    --------
    >>> css((1.0, 0.5, 0.0))
    '#ff8000'
    """
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, as the end of a scale.

    Examples
    --------
    >>> round_up(0.13), round_up(3.0)
    (0.2, 5.0)
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(round(next(k * power for k in (1, 2, 5, 10) if k * power >= value * (1 - 1e-9)), 12))
