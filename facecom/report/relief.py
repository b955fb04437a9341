"""Strength of the synthesised skin relief against the observed one, over all and by region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools
from facecom.provenance import Provenance
from facecom.report.display_data import DisplayData


@dataclass(frozen=True)
class Relief:
    """Root mean square of the skin relief of a part of the face, mm; NaN where there is none of that kind.

    synthesised_mm : on made-up skin; observed_mm : on the observed skin around it, of the same region
    """

    synthesised_mm: float
    observed_mm: float

    @property
    def decibel(self) -> float:
        """Power of the synthesised relief over that of the observed one, dB; NaN where one is missing or flat.

        Examples
        --------
        >>> Relief(0.02, 0.02).decibel, Relief(0.01, 0.1).decibel
        (0.0, -20.0)
        """
        if not (self.synthesised_mm > 0 and self.observed_mm > 0):
            return float("nan")
        return float(20 * np.log10(self.synthesised_mm / self.observed_mm))

    @property
    def text(self) -> str:
        """The decibels with sign and unit."""
        return f"{self.decibel:+.1f} dB" if np.isfinite(self.decibel) else "nothing to compare"


def relief_by_region(data: DisplayData) -> Mapping[str, Relief]:
    """Relief of the skin detail of a completion: of `all` of it, and of each region that has synthesised relief.

    Empty where no detail was made. A vertex of the detail belongs to the region of the closest vertex of the
    completed face's triangle that it lies on.
    """
    skin = data.result.context.detail
    if skin is None:
        return {}
    template = data.result.template
    height = skin.displacement - skin.base_offset
    synthesised = ~np.isin(skin.provenance, (Provenance.OBSERVED, Provenance.MODEL))
    observed = skin.provenance == Provenance.OBSERVED
    closest = Surface(data.face).closest(skin.smooth.vertices)
    corner = closest.barycentric.argmax(axis=1)
    nearest = data.face.faces[closest.faces, corner]

    def deviation(where: Bools) -> float:
        return float(np.std(height[where])) if where.any() else float("nan")

    out = {"all": Relief(deviation(synthesised), deviation(observed))}
    for name in template.region_names:
        region = template.region_mask(name)[nearest]
        if (region & synthesised).any():
            out[name] = Relief(deviation(region & synthesised), deviation(region & observed))
    return out
