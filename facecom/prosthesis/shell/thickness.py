"""How thick a part is asked to be, as a function of the distance from its border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Floats

ALLOWANCE_MM, ALLOWANCE_CELLS = 0.02, 0.05
"""What is added to the thickness, in mm and in grid cells: triangles of the intaglio are chords of a curved surface."""


@dataclass(frozen=True)
class Thickness:
    """The thickness of a part as a function of the geodesic distance from its border; all lengths in mm.

    Parameters
    ----------
    edge : at the margin's outer border (the feather edge)
    lip : at the defect's edge, where the part still lies on skin and so stands out by as much
    wall : over the open cavity
    clearance : between part and tissue
    margin : width of the margin on healthy skin, over which edge becomes lip
    blend : width of the band within the defect over which lip becomes wall

    Examples
    --------
    >>> thickness = Thickness(edge=0.3, lip=0.6, wall=3.0, clearance=0.1, margin=5.0, blend=5.0)
    >>> thickness.at(np.array([0.0, 5.0, 10.0])).tolist()
    [0.3, 0.6, 3.0]
    """

    edge: float
    lip: float
    wall: float
    clearance: float
    margin: float
    blend: float

    def at(self, border_distance: Floats) -> Floats:
        """Thickness at a distance from the part's border; it never falls with the distance."""
        on_margin = self.edge + (self.lip - self.edge) * smoothstep(border_distance / self.margin)
        inside = self.lip + (self.wall - self.lip) * smoothstep((border_distance - self.margin) / self.blend)
        return np.where(border_distance <= self.margin, on_margin, inside)

    def over_skin(self, border_distance: Floats) -> Floats:
        """Thickness where the part lies on skin, from which it stands out: never more than the lip."""
        return np.minimum(self.at(border_distance), self.lip)

    def lift(self, border_distance: Floats, defect_distance: Floats) -> Floats:
        """How far the outer face stands out of the completed skin, mm; see `OuterSurface` for the distances."""
        return (self.clearance + self.over_skin(border_distance)) * (1.0 - smoothstep(defect_distance / self.blend))


def smoothstep(x: Floats) -> Floats:
    """0 below 0, 1 above 1, and between them the cubic with level ends.

    Examples
    --------
    >>> smoothstep(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    s = np.clip(x, 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)


def grid_allowance_mm(grid_mm: float) -> float:
    """What to add to the thickness so that the chords of the intaglio nowhere make the part thinner, mm."""
    return ALLOWANCE_MM + ALLOWANCE_CELLS * grid_mm
