"""What the networks of the picture stage saw of a scan, and what they made of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facecom.errors import need
from facecom.geometry.mesh import Floats, unit
from facecom.guidance.guide import Guidance, GuidedView
from facecom.guidance.rendering import AMBIENT, HEADLIGHT
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.pictures import Picture, jpeg_bytes
from facecom.report.shading import Image

HOLE = (0.93, 0.56, 0.25)
_REGIONS = np.array(
    [[0.25, 0.25, 0.27], [0.85, 0.80, 0.74], [0.93, 0.56, 0.25], [0.14, 0.34, 0.56], [0.35, 0.62, 0.86],
     [0.30, 0.45, 0.20], [0.36, 0.72, 0.55], [0.55, 0.35, 0.60], [0.72, 0.50, 0.78], [0.45, 0.10, 0.15],
     [0.78, 0.20, 0.30], [0.92, 0.45, 0.50], [0.60, 0.50, 0.40]]
)  # fmt: skip


def picture_figures(found: Guidance) -> dict[str, str]:
    """What the pictures say, in figures."""
    out = {}
    if found.observations is not None:
        out["pixels in the hole that the fit took in"] = f"{len(found.observations.sigma_mm):,}"
        out["standard deviation of one of them, mean"] = mm(float(found.observations.sigma_mm.mean()))
    for name, share in found.observed_share.items():
        out[f"seen by the parser, {REGION_TITLES.get(name, name)}"] = percent(share)
    return out


def view_pictures(found: Guidance, *, most: int = 2) -> Iterator[Picture]:
    """For the views with the largest holes: the scan's picture, its regions, the hole, and what was painted there."""
    largest = sorted(found.views, key=lambda view: -np.count_nonzero(view.trusted))[:most]
    for view in largest:
        for caption, drawn in view_panels(view):
            yield Picture(jpeg_bytes(drawn), f"{caption}, view {view.name}")


def view_panels(view: GuidedView) -> Iterator[tuple[str, Image]]:
    """What a picture shows, in words, and the picture; no regions where the parser was not asked."""
    grey = _grey(view.scan.shading)
    yield "picture of the scan", enlarged(grey)
    if view.parse is not None:
        yield "regions", enlarged(_REGIONS[view.parse.labels % len(_REGIONS)])
    yield "hole", enlarged(np.where(view.inpainted.mask[..., None], HOLE, grey))
    towards = view.inpainted.normals @ (unit(np.array(HEADLIGHT)) @ view.scan.camera.axes)
    lit = AMBIENT + (1 - AMBIENT) * np.clip(np.nan_to_num(towards), 0.0, 1.0)
    yield "painted in", enlarged(_grey(np.where(view.scan.mask | view.inpainted.mask, lit, 0.0)))


def _grey(shading: Floats) -> Floats:
    return np.repeat(shading[..., None], 3, axis=2)


def enlarged(picture: Floats, *, side: int = 240) -> Image:
    """A square picture (H, W, 3) in 0..1 with `side` pixels a side."""
    image = need("PIL.Image")
    pixels = image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8))
    return np.asarray(pixels.resize((side, side), image.Resampling.BICUBIC))
