"""How thick a part is asked to be, as a function of the distance from its border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Floats


@dataclass(frozen=True)
class Thickness:
    """How the part's thickness runs with the geodesic distance from its border; all in mm.

    edge : at the margin's outer border
    lip : at the defect's edge, where the part still lies on skin and so stands out by as much
    wall : over the open cavity
    clearance : between part and tissue
    margin : width of the band on healthy skin, over which edge becomes lip
    blend : width of the band within the defect, over which lip becomes wall
    """

    edge: float
    lip: float
    wall: float
    clearance: float
    margin: float
    blend: float

    def at(self, rim: Floats) -> Floats:
        """Thickness at a distance from the part's border; never falls."""
        outer = self.edge + (self.lip - self.edge) * smooth_step(rim / self.margin)
        inner = self.lip + (self.wall - self.lip) * smooth_step((rim - self.margin) / self.blend)
        return np.where(rim <= self.margin, outer, inner)

    def over_skin(self, rim: Floats) -> Floats:
        """The same where the part lies on skin, from which it stands out: never more than the lip."""
        return np.minimum(self.at(rim), self.lip)

    def lift(self, rim: Floats, inward: Floats) -> Floats:
        """How far the outer face stands out of the completed skin at a distance from border and defect's edge."""
        return (self.clearance + self.over_skin(rim)) * (1.0 - smooth_step(inward / self.blend))


def smooth_step(x: Floats) -> Floats:
    """0 below 0, 1 above 1, rising in between with level ends."""
    s = np.clip(x, 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)


def slack(grid_mm: float) -> float:
    """What is added to the thickness, mm, so that the chords of the inner face nowhere make the part thinner."""
    return 0.02 + 0.05 * grid_mm
