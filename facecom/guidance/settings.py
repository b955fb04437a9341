"""How guidance is made, and by which networks."""

from __future__ import annotations

from dataclasses import dataclass

from facecom.guidance.protocols import Inpainter, Parser


@dataclass(frozen=True)
class GuidanceSettings:
    """How guidance is made; lengths in mm.

    Examples
    --------
    A parser and an inpainter of your own, classes as in `Parser` and `Inpainter`, in place of the shipped ones::

        settings = GuidanceSettings(parser=BrightIsSkin(), inpainter=KeepFittedFace())
        result = facecom.complete("scan.ply", guidance=settings)
    """

    views: tuple[str, ...] = ("front", "left", "right", "below")
    """Names of the views, see `camera.VIEW_ANGLES_RAD`."""
    reach_mm: float = 8.0
    """Scan farther than this from the fitted face, along the viewing direction, does not show the face."""
    min_pixels: int = 12
    """A hole smaller than this in a view is left to the fit."""
    correlation_mm: float = 12.0
    """Distance over which the inpainted depths repeat their errors."""
    sigma_scale: float = 0.1
    """Factor on the sigma of inpainted pixels: they hold what the fit knew, which must not hold them back again."""
    mirrored_only: bool = True
    """Whether only those pixels are trusted whose mirror image the scan shows, and only on a face that is symmetric
    enough: elsewhere the shipped network knows no more of this face than the fit does, and the fitted face is held
    where it is, so that what is learnt of an eye does not swing the nose. All pixels of a pipeline or of an inpainter
    of your own are trusted."""
    min_symmetry: float = 0.6
    """With `mirrored_only`: how alike the residuals of both sides must be where the scan shows both, 0 to 1, for one
    to say something of the other. On the training's held-out heads, sides less alike than this told little."""
    min_mirrored_share: float = 0.2
    """Share of the face of which both sides must be observed to know that, and where its midline is."""
    parse: bool = True
    """Whether the parser says which regions are observed."""
    drop_clutter: bool = False
    """Whether pixels of the scan that the parser surely calls background count as not observed."""
    min_confidence: float = 0.9
    """How sure it must be."""
    seed: int = 0
    """Of a pipeline's noise."""
    parser: Parser | None = None
    """Names what the rendered scan shows; the shipped one unless given."""
    inpainter: Inpainter | None = None
    """Fills the holes of the views; the shipped one, or the pipeline that is asked for, unless given."""
