"""Names of regions, lengths and shares as text."""

from __future__ import annotations

import numpy as np

REGION_TITLES = {
    "all": "whole face", "skin": "skin", "nose": "nose", "l_eye": "left eye", "r_eye": "right eye",
    "l_brow": "left brow", "r_brow": "right brow", "l_ear": "left ear", "r_ear": "right ear", "mouth": "mouth, inside",
    "u_lip": "upper lip", "l_lip": "lower lip", "neck": "neck",
}  # fmt: skip
"""Names of the template's regions for readers."""


def mm(value: float) -> str:
    """A length in mm as text, with two or three decimals.

    Examples
    --------
    >>> mm(1.234), mm(0.0123), mm(float("nan"))
    ('1.23 mm', '0.012 mm', 'not known')
    """
    if not np.isfinite(value):
        return "not known"
    return f"{value:.2f} mm" if value >= 0.1 else f"{value:.3f} mm" if value >= 0.001 else "below 0.001 mm"


def percent(value: float) -> str:
    """A share as text; neither 0 % nor 100 % unless it is exactly that.

    Examples
    --------
    >>> percent(0.25), percent(0.002), percent(0.99999)
    ('25 %', '0.2 %', '99.9 %')
    """
    if 0 < value < 0.01 or 0.99 < value < 1:
        return f"{np.clip(100 * value, 0.1, 99.9):.1f} %"
    return f"{100 * value:.0f} %"
