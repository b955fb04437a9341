"""Pictures and values of the guidance: what its networks received of a scan and what they returned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facecom.drawing import colors
from facecom.drawing.shading import Image
from facecom.errors import need
from facecom.geometry.mesh import Floats, unit
from facecom.guidance.guide import Guidance, GuidedView
from facecom.guidance.rendering import AMBIENT, HEADLIGHT
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.pictures import Picture, jpeg_bytes

HOLE_COLOR = colors.MODEL
PANEL_SIZE = 240
"""Pixels a side of a panel."""
REGION_COLORS = np.array(
    [[0.25, 0.25, 0.27], [0.85, 0.80, 0.74], [0.93, 0.56, 0.25], [0.14, 0.34, 0.56], [0.35, 0.62, 0.86],
     [0.30, 0.45, 0.20], [0.36, 0.72, 0.55], [0.55, 0.35, 0.60], [0.72, 0.50, 0.78], [0.45, 0.10, 0.15],
     [0.78, 0.20, 0.30], [0.92, 0.45, 0.50], [0.60, 0.50, 0.40]]
)  # fmt: skip
"""Colour of each class of the face parser."""


def guidance_values(guidance: Guidance) -> dict[str, str]:
    """Number and standard deviation of the observations, and what the parser found: name -> text."""
    out = {}
    if guidance.observations is not None:
        out["inpainted pixels that the fit observed"] = f"{len(guidance.observations.sigma_mm):,}"
        out["standard deviation of one of them, mean"] = mm(float(guidance.observations.sigma_mm.mean()))
    for name, share in guidance.observed_share.items():
        out[f"observed by the parser, {REGION_TITLES.get(name, name)}"] = percent(share)
    return out


def guidance_pictures(guidance: Guidance, *, max_views: int = 2) -> Iterator[Picture]:
    """The panels of the views with the largest holes."""
    largest = sorted(guidance.views, key=lambda view: -np.count_nonzero(view.trusted))[:max_views]
    for view in largest:
        for caption, panel in view_panels(view):
            yield Picture(jpeg_bytes(panel), f"{caption}, view {view.name}")


def view_panels(view: GuidedView) -> Iterator[tuple[str, Image]]:
    """Captions and panels of a view: the rendered scan, its regions where it was parsed, the hole, the inpainting."""
    grey = _grey(view.scan.shading)
    yield "rendered scan", enlarged(grey)
    if view.parse is not None:
        yield "regions", enlarged(REGION_COLORS[view.parse.labels % len(REGION_COLORS)])
    yield "hole", enlarged(np.where(view.inpainted.mask[..., None], HOLE_COLOR, grey))
    cosine = view.inpainted.normals @ (unit(np.array(HEADLIGHT)) @ view.scan.camera.axes)
    shading = AMBIENT + (1 - AMBIENT) * np.clip(np.nan_to_num(cosine), 0.0, 1.0)
    yield "inpainted", enlarged(_grey(np.where(view.scan.mask | view.inpainted.mask, shading, 0.0)))


def _grey(shading: Floats) -> Floats:
    return np.repeat(shading[..., None], 3, axis=2)


def enlarged(picture: Floats, *, side: int = PANEL_SIZE) -> Image:
    """A square picture (H, W, 3) in 0..1, resampled to `side` pixels a side."""
    image = need("PIL.Image")
    pixels = image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8))
    return np.asarray(pixels.resize((side, side), image.Resampling.BICUBIC))
