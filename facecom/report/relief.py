"""How strong the made skin relief is beside the measured one, over all and by region."""

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

    made_mm : on what was made up; measured_mm : on the seen skin beside it, of the same region
    """

    made_mm: float
    measured_mm: float

    @property
    def decibel(self) -> float:
        """Energy of the made relief over that of the measured one, dB; NaN where one is missing or flat.

        Examples
        --------
        >>> Relief(0.02, 0.02).decibel, Relief(0.01, 0.1).decibel
        (0.0, -20.0)
        """
        if not (self.made_mm > 0 and self.measured_mm > 0):
            return float("nan")
        return float(20 * np.log10(self.made_mm / self.measured_mm))

    @property
    def text(self) -> str:
        """The decibels as people write them."""
        return f"{self.decibel:+.1f} dB" if np.isfinite(self.decibel) else "nothing to compare"


def relief_by_region(layers: DisplayData) -> Mapping[str, Relief]:
    """Relief of the skin detail of a completion: of `all` of it, and of each region that it was made in.

    Empty where no detail was made. A point of the detail belongs to the region of the completed face that it lies on.
    """
    skin = layers.result.context.detail
    if skin is None:
        return {}
    template = layers.result.template
    height = skin.displacement - skin.base_offset
    made, seen = (
        ~np.isin(skin.provenance, (Provenance.OBSERVED, Provenance.MODEL)),
        skin.provenance == Provenance.OBSERVED,
    )
    found = Surface(layers.face).closest(skin.smooth.vertices)
    corner = found.barycentric.argmax(axis=1)
    nearest = layers.face.faces[found.faces, corner]

    def strength(where: Bools) -> float:
        return float(np.std(height[where])) if where.any() else float("nan")

    out = {"all": Relief(strength(made), strength(seen))}
    for name in template.region_names:
        there = template.region_mask(name)[nearest]
        if (there & made).any():
            out[name] = Relief(strength(there & made), strength(there & seen))
    return out
