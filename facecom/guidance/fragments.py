"""What a rasteriser answers, whichever does the work."""

from __future__ import annotations

from dataclasses import dataclass

from facecom.geometry.mesh import Floats, Ints


@dataclass(frozen=True, eq=False)
class Fragments:
    """faces : (H, W) int, the face each pixel shows, -1 for none; barycentric : (H, W, 3), where in it."""

    faces: Ints
    barycentric: Floats
