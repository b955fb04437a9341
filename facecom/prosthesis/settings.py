"""The settings of a design."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from facecom.prosthesis.shell.axis import Axis
from facecom.prosthesis.shell.mould import MouldSettings

NARROWEST_MARGIN_MM, WIDEST_MARGIN_MM = 0.5, 60.0
"""A narrower margin holds nothing, a wider one is larger than the face around a defect."""
LONGEST_MM = 200.0
"""No length of a part is longer: such a number was given in another unit."""


@dataclass(frozen=True)
class CheckBounds:
    """What the check of a finished part allows; its least thickness is the `edge_mm` of the design.

    Parameters
    ----------
    overlap_mm3 : common volume of the part and the tissue of the raw scan, in the seat and on the way off
    overlap_deepest_mm : how deep that may reach
    """

    overlap_mm3: float = 5.0
    overlap_deepest_mm: float = 0.3

    def __post_init__(self) -> None:
        for name, value in (("overlap_mm3", self.overlap_mm3), ("overlap_deepest_mm", self.overlap_deepest_mm)):
            if not np.isfinite(value) or value < 0:
                raise ValueError(f"{name} must be a number that is not negative, got {value!r}")


@dataclass(frozen=True)
class DesignSettings:
    """Everything that affects a part besides the completion; lengths in mm.

    The defaults are starting points that a clinician confirms for each patient, not rules.

    Parameters
    ----------
    margin_mm : width of the margin on healthy skin
    edge_mm : thickness at the margin's outer border, the feather edge
    lip_mm : thickness at the defect's edge, where the part leaves the skin; the outer face stands out by as much
        there. `lip_mm=wall_mm` feathers the whole wall over the margin, at the price of a ridge of that height.
    wall_mm : thickness over the open cavity
    blend_mm : width of the band within the defect over which lip becomes wall
    clearance_mm : distance between the part and the tissue
    axis : withdrawal axis in the face frame: "auto", "front" or three numbers
    density_g_cm3 : of the material, for the mass
    relief_edge_mm : longest edge of the outer face where the completion carries skin detail
    grid_mm : cell of the grid on which the intaglio is found
    least_mm2 : smaller defects are ignored
    least_cm3 : smaller parts are refused
    least_scanned : a part is refused when the scan shows the skin under a smaller share of its margin
    trim : whether tissue that stands in the way is cut, which the inspection lists; else the part is raised over it
    region : name of the template region that is replaced, where it is not simply what the scan lacks
    mirror : "auto" copies an ear from the other side where that was observed, "always" any region, "never" none
    part : which of several defects, the largest is 0
    mould : MouldSettings
    bounds : CheckBounds, what the check of the finished part allows
    seed : of the random steps; recorded with the part
    """

    margin_mm: float = 5.0
    edge_mm: float = 0.3
    lip_mm: float = 0.6
    wall_mm: float = 3.0
    blend_mm: float = 5.0
    clearance_mm: float = 0.1
    axis: Axis = "auto"
    density_g_cm3: float = 1.1
    relief_edge_mm: float = 0.35
    grid_mm: float = 0.7
    least_mm2: float = 300.0
    least_cm3: float = 1.0
    least_scanned: float = 0.5
    trim: bool = False
    region: str | None = None
    mirror: Literal["auto", "always", "never"] = "auto"
    part: int = 0
    mould: MouldSettings = field(default_factory=MouldSettings)
    bounds: CheckBounds = field(default_factory=CheckBounds)
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.type == "float"}
        limits = {name: numbers.pop(name) for name in ("least_cm3", "least_scanned")}
        wrong = [n for n, v in numbers.items() if not np.isfinite(v) or v < 0 or (v == 0 and n != "clearance_mm")]
        for name, value in limits.items():
            if not np.isfinite(value) or value < 0:
                raise ValueError(f"{name} must be a number that is not negative, got {value!r}")
        if wrong:
            raise ValueError(f"{wrong[0]} must be a positive length, got {numbers[wrong[0]]}")
        if WIDEST_MARGIN_MM < self.margin_mm <= LONGEST_MM:
            raise ValueError(
                f"a margin of {self.margin_mm:g} mm is larger than the face around a defect; 5 to 10 mm are usual"
            )
        if self.margin_mm < NARROWEST_MARGIN_MM or max(self.margin_mm, self.wall_mm) > LONGEST_MM:
            raise ValueError(
                f"lengths are in mm, whatever the unit of the scan; a margin of {self.margin_mm:g} mm and a wall of "
                f"{self.wall_mm:g} mm are no lengths of a part, give them in mm"
            )
        if self.mirror not in ("auto", "always", "never"):
            raise ValueError(f"mirror must be 'auto', 'always' or 'never', got {self.mirror!r}")
        if not self.edge_mm <= self.lip_mm <= self.wall_mm:
            raise ValueError(
                f"the thickness must not fall from edge ({self.edge_mm:g} mm) over lip ({self.lip_mm:g} mm) to wall "
                f"({self.wall_mm:g} mm); choose edge_mm <= lip_mm <= wall_mm"
            )
