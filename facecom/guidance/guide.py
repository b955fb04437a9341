"""The whole of guidance: views of scan and fitted face, parsed, filled in, and handed on as observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.diffusers_pipeline import PipelineSettings, fill_normals, load_pipeline, named_pipeline
from facecom.guidance.inpainting import DepthInpainter, InpaintedView, Pair, hole_mask, known_residual
from facecom.guidance.parsing import BACKGROUND, FaceParser, ParsedImage
from facecom.guidance.rendering import Render, Scene, render
from facecom.guidance.targets import ImageTarget, Observations, observations

AUTO_USES_PICTURES = False
"""What guidance="auto" means: the table in docs/guidance.md decides."""
HALF_MM = 85.0
EVEN_MM = 0.01
"""Offsets of the fit smaller than this count as none: both sides are alike then."""
SIZE = 64


@dataclass(frozen=True)
class GuidanceSettings:
    """How guidance is made; lengths in mm."""

    views: tuple[str, ...] = ("front", "left", "right", "below")
    reach_mm: float = 8.0
    """Scan farther than this from the fitted face, along the viewing direction, does not show the face."""
    least_pixels: int = 12
    """A hole smaller than this in a view is left to the fit."""
    correlation_mm: float = 12.0
    """Distance over which the pictures repeat their errors."""
    sigma_scale: float = 0.1
    """Factor on the sigma of the pictures: they hold what the fit knew, which must not hold them back a second time."""
    both_sides: bool = True
    """Whether only those pixels are believed whose place on the other side of the face the scan shows, and only on a
    face whose sides are alike: elsewhere the shipped network knows no more of this face than the fit does, and the
    fitted face is held where it is, so that what is learnt of an eye does not swing the nose. A pipeline's pixels are
    all believed."""
    least_alike: float = 0.6
    """With `both_sides`: how alike the two sides of a face must be where the scan shows both, 0 to 1, for one to say
    something of the other. On the training's held-out heads, sides less alike than this told little."""
    least_pairs: float = 0.2
    """Share of the face of which both sides must be seen to know that, and where its middle is."""
    parse: bool = True
    """Whether the parser says which regions are seen."""
    drop_clutter: bool = False
    """Whether pixels of the scan that the parser surely calls background count as not seen."""
    least_confidence: float = 0.9
    """How sure it must be."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class GuidedView:
    """One view: pictures of scan and fitted face, what the parser saw (in its own size), what was filled in.

    believed : (H, W) bool, the filled pixels that the fit is to follow; at the others the face stays as it is
    """

    name: str
    scan: Render
    face: Render
    parse: ParsedImage | None
    filled: InpaintedView
    believed: Bools


@dataclass(frozen=True, eq=False)
class Guidance:
    """What the pictures say.

    observations : to add to the fit, None where no view shows a hole worth filling
    views : those with a hole
    seen_share : share of each region that the parser saw, from the view that shows most of it
    warnings : views that were left out, and why
    seconds : spent
    """

    observations: Observations | None
    views: tuple[GuidedView, ...]
    seen_share: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


UpdateFit = Literal["all", "mirrored", "none"]
InpaintViews = Callable[[Render, Render, np.ndarray, Pair | None], InpaintedView]


def guide(
    scan: Mesh,
    face: Mesh,
    *,
    proper: ArrayLike | None = None,
    source: str | PipelineSettings = "shipped",
    settings: GuidanceSettings | None = None,
) -> Guidance:
    """Look at a scan and the face fitted to it, and fill in what the scan does not show.

    Parameters
    ----------
    scan, face : Mesh, face frame, mm, triangles outwards
    proper : (V,) bool for each vertex of `face`: part of the face proper, where holes are filled; all when not given
    source : "shipped", a pipeline's settings, or what `named_pipeline` takes for them
    settings : GuidanceSettings

    Returns
    -------
    Guidance

    Raises
    ------
    ValueError
        For an unknown source, or when no view shows anything of scan or face; names the reason of the last.
    CheckpointError, MissingDependency
        When weights or packages are missing.
    """
    settings, start = settings or GuidanceSettings(), time.perf_counter()
    fill, size = _filler(source, settings.seed)
    parser = FaceParser.from_pretrained() if settings.parse else None
    labels = np.ones(len(face.vertices), int) if proper is None else np.asarray(proper, int)
    studio, views, warnings = _Studio(Scene(scan), Scene(face), labels), [], []
    seen: dict[str, float] = {}
    cameras = view_cameras(settings.views, half_mm=HALF_MM, size=size)
    careful = settings.both_sides and source == "shipped"
    doubt = _doubt(studio, cameras.values(), settings) if careful else ""
    believe: UpdateFit = "none" if doubt else "mirrored" if careful else "all"
    # the networks are small: more threads wait for each other longer than they work
    with threadpool_limits(1 if source == "shipped" else None, user_api="openmp"):
        for name, camera in cameras.items():
            try:
                view = _view(name, camera, studio, fill, parser, settings, seen, believe=believe)
            except ValueError as error:
                warnings.append(f"view {name}: {error}")
                continue
            if view is not None:
                views.append(view)
    if len(warnings) == len(cameras):
        raise ValueError(f"no view can guide the fit; {warnings[-1]}")
    if views and doubt:
        warnings.append(doubt)
    targets = [_target(view, settings.sigma_scale) for view in views if any(v.believed.any() for v in views)]
    found = observations(targets, face.vertices, face.faces, correlation_mm=settings.correlation_mm)
    return Guidance(found, tuple(views), seen, tuple(warnings), time.perf_counter() - start)


def _filler(source: str | PipelineSettings, seed: int) -> tuple[InpaintViews, int]:
    if source != "shipped":
        source = named_pipeline(source) if isinstance(source, str) else source
        pipeline, own = load_pipeline(source), source

        def by_pipeline(scan: Render, face: Render, mask: np.ndarray, other: Pair | None) -> InpaintedView:
            depth, normals = fill_normals(pipeline, scan, mask, settings=own, seed=seed)
            return InpaintedView(depth, normals, np.where(mask, own.sigma_mm, 0.0), mask)

        return by_pipeline, SIZE
    inpainter = DepthInpainter.from_pretrained()
    return lambda scan, face, mask, other: inpainter.fill(scan, face, mask, other=other), inpainter.size


class _Studio:
    """Pictures of scan and fitted face, each taken once however many views ask for it."""

    def __init__(self, scan: Scene, face: Scene, labels: np.ndarray) -> None:
        self._scan, self._face, self._labels = scan, face, labels
        self._taken: dict[bytes, Pair | ValueError] = {}

    def pictures(self, camera: Camera) -> Pair:
        """Of scan and face; ValueError where either shows nothing."""
        # the sum makes one zero of both
        key = (np.round(np.append(camera.axes, camera.eye), 6) + 0.0).tobytes()
        if key not in self._taken:
            try:
                self._taken[key] = render(self._scan, camera), render(self._face, camera, labels=self._labels)
            except ValueError as error:
                self._taken[key] = error
        taken = self._taken[key]
        if isinstance(taken, ValueError):
            raise taken
        return taken

    def other_side(self, camera: Camera) -> Pair | None:
        """The pictures that the mirrored camera takes, None where it shows nothing."""
        try:
            return self.pictures(camera.mirrored())
        except ValueError:
            return None

    def larger(self, camera: Camera, size: int) -> Render:
        """The scan by the same camera with more pixels."""
        return render(self._scan, replace(camera, height=size, width=size, scale=camera.scale * size / camera.width))


def _doubt(studio: _Studio, cameras: Iterable[Camera], settings: GuidanceSettings) -> str:
    """Why one side of this face says nothing of the other; empty where it does."""
    pairs, face_pixels = [np.zeros((0, 2))], 0
    for camera in cameras:
        try:
            (scan, face), other = studio.pictures(camera), studio.pictures(camera.mirrored())
        except ValueError:
            continue
        nothing = np.zeros_like(face.mask)
        (residual, known), (across, across_known) = (known_residual(*pair, nothing) for pair in ((scan, face), other))
        proper: Bools = np.asarray(face.labels) > 0
        both: Bools = known & across_known[:, ::-1] & proper
        pairs.append(np.stack([residual[both], across[:, ::-1][both]], axis=1))
        face_pixels += int(proper.sum())
    every = np.concatenate(pairs)
    share = len(every) / max(face_pixels, 1)
    if share < settings.least_pairs:
        return f"both sides are seen of {share:.0%} of the face, too little to fill in one from the other"
    # what the fit leaves over on both sides: the share of its mean square that they have in common
    even = len(every) * EVEN_MM**2
    alike = (2 * np.prod(every, axis=1).sum() + even) / ((every**2).sum() + even)
    if alike < settings.least_alike:
        return f"the sides of this face are alike to {alike:.0%}, too little to fill in one from the other"
    return ""


def _view(
    name: str,
    camera: Camera,
    studio: _Studio,
    fill: InpaintViews,
    parser: FaceParser | None,
    settings: GuidanceSettings,
    seen: dict[str, float],
    *,
    believe: UpdateFit,
) -> GuidedView | None:
    scan, face = studio.pictures(camera)
    parse, clutter = None, None
    if parser is not None:
        picture = studio.larger(camera, parser.size)
        parse = parser.parse(np.clip(picture.rgb(), 0, 1))
        if settings.drop_clutter:
            clutter = scan.mask & _resized(
                parse.mask(BACKGROUND) & (parse.confidence > settings.least_confidence), scan
            )
        for region, share in parse.seen_share(picture.mask).items():
            seen[region] = max(share, seen.get(region, 0.0))
    mask = hole_mask(scan, face, reach_mm=settings.reach_mm, clutter=clutter)
    if mask.sum() < settings.least_pixels:
        return None
    other = studio.other_side(camera)
    filled = fill(scan, face, mask, other)
    believed = mask & np.isfinite(filled.depth)
    if believe != "all":
        believed &= believe == "mirrored" and other is not None and _known(other)[:, ::-1]
    return GuidedView(name, scan, face, parse, filled, believed)


def _known(pair: Pair) -> Bools:
    return known_residual(*pair, np.zeros_like(pair[0].mask))[1]


def _resized(picture: Bools, like: Render) -> Bools:
    """A square picture in another picture's size, each pixel that of the nearest."""
    pick = ((np.arange(like.camera.height) + 0.5) * len(picture) / like.camera.height).astype(int)
    return picture[pick][:, pick]


def _target(view: GuidedView, sigma_scale: float) -> ImageTarget:
    filled, face = view.filled, view.face
    mask = filled.mask & np.isfinite(filled.depth)
    depth = np.where(view.believed, filled.depth, face.depth)
    normals: Floats = np.where(view.believed[..., None], filled.normals, face.normals)
    return ImageTarget(face.camera, depth, normals, np.where(mask, sigma_scale * filled.sigma_mm, 0.0), mask)
