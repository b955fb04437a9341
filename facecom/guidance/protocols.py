"""What guidance asks of a face parser and of an inpainter: any class with these members takes the shipped one's place.

Both are handed in by `GuidanceSettings(parser=..., inpainter=...)`.
"""

from __future__ import annotations

from typing import Protocol

from facecom.geometry.mesh import Bools, Floats
from facecom.guidance.inpainting import InpaintedView, RenderPair
from facecom.guidance.parsing import ParsedImage
from facecom.guidance.rendering import Render


class Parser(Protocol):
    """Names what each pixel of a rendered scan shows.

    The classes may be any; those named as the template's regions (skin, nose, l_eye, ...) are reported by region, and
    "background" is what `GuidanceSettings.drop_clutter` removes.

    Examples
    --------
    >>> import numpy as np
    >>> class BrightIsSkin:
    ...     size = 64
    ...
    ...     def parse(self, image):
    ...         labels = (image.mean(axis=2) > 0.1).astype(int)
    ...         return ParsedImage(labels, np.ones(labels.shape), ("background", "skin"))
    >>> parser: Parser = BrightIsSkin()
    >>> int(parser.parse(np.ones((64, 64, 3))).mask("skin").sum())
    4096
    """

    @property
    def size(self) -> int:
        """Side in pixels of the images that it is given."""

    def parse(self, image: Floats, /) -> ParsedImage:
        """Labels of an image (size, size, 3), RGB in 0..1, black where there is no surface."""


class Inpainter(Protocol):
    """Fills the hole in one view with depth and normals.

    Only what it gives inside the mask is used; a pixel of which it says nothing gets a depth that is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> class KeepFittedFace:
    ...     size = 64
    ...
    ...     def fill(self, scan, face, mask, *, other=None):
    ...         depth = np.where(mask, face.depth, scan.depth)
    ...         normals = np.where(mask[..., None], face.normals, scan.normals)
    ...         return InpaintedView(depth, normals, np.where(mask, 2.0, 0.0), mask)
    >>> inpainter: Inpainter = KeepFittedFace()
    """

    @property
    def size(self) -> int:
        """Side in pixels of the views that it is given."""

    def fill(self, scan: Render, face: Render, mask: Bools, *, other: RenderPair | None = None) -> InpaintedView:
        """Depth, normals and sigma of one view with the masked pixels filled.

        Parameters
        ----------
        scan, face : renders of the scan and of the face fitted to it by one orthographic camera, (size, size)
        mask : (size, size) bool, the hole
        other : the same two renders by the mirrored camera; None where it shows nothing
        """
