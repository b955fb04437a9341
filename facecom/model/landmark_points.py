"""The landmarks of one face: points by name, aliases included."""

from __future__ import annotations

from facecom.geometry.mesh import Floats
from facecom.model.template import LANDMARK_ALIASES, Template


class LandmarkPoints(dict[str, Floats]):
    """Points (3,) by the 68 names of `template.LANDMARK_NAMES`; an alias such as `nose_tip` finds its point too.

    Examples
    --------
    >>> template = Template.load()
    >>> points = LandmarkPoints.of(template, template.vertices)
    >>> len(points), points["nose_tip"] is points["nose_bridge_4"]
    (68, True)
    """

    @classmethod
    def of(cls, template: Template, vertices: Floats) -> LandmarkPoints:
        """The landmarks of a face on the template, vertices (V, 3)."""
        return cls((name, vertices[at]) for name, at in template.landmarks.items())

    def __missing__(self, name: str) -> Floats:
        full = LANDMARK_ALIASES.get(name)
        if full is None or full not in self:
            raise KeyError(name)
        return self[full]
