"""The whole of guidance: views of scan and fitted face, parsed, inpainted, and handed on as observations."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.diffusers_pipeline import PipelineInpainter, PipelineSettings, load_pipeline, named_pipeline
from facecom.guidance.inpainting import DepthInpainter, InpaintedView, RenderPair, hole_mask, known_residual
from facecom.guidance.parsing import BACKGROUND, FaceParser, ParsedImage
from facecom.guidance.protocols import Inpainter, Parser
from facecom.guidance.rendering import Render, Scene, render
from facecom.guidance.settings import GuidanceSettings
from facecom.guidance.targets import ImageTarget, Observations, observations

AUTO_USES_PICTURES = False
"""What guidance="auto" means: the table in docs/guidance.md decides."""
VIEW_HALF_MM = 85.0
"""Half the side of a view, mm: the face with its rim."""
VIEW_SIZE_PX = 64
"""Side in pixels of the views that a pipeline is asked about, and of the shipped inpainter's training."""
NO_RESIDUAL_MM = 0.01
"""Residuals of the fit smaller than this count as none: both sides are alike then."""
CAMERA_DIGITS = 6
"""Decimals of a camera's axes and eye by which two cameras are the same."""


@dataclass(frozen=True, eq=False)
class GuidedView:
    """One view: renders of scan and fitted face, what the parser saw (in its own size), what was inpainted.

    trusted : (H, W) bool, the inpainted pixels that the fit is to follow; at the others the face stays as it is
    """

    name: str
    scan: Render
    face: Render
    parse: ParsedImage | None
    inpainted: InpaintedView
    trusted: Bools


@dataclass(frozen=True, eq=False)
class Guidance:
    """What the views say.

    observations : to add to the fit, None where no view shows a hole worth filling
    views : those with a hole
    observed_share : share of each region that the parser saw, from the view that shows most of it
    warnings : views that were left out, and why
    seconds : spent
    """

    observations: Observations | None
    views: tuple[GuidedView, ...]
    observed_share: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


Trust = Literal["all", "mirrored", "none"]
"""Which inpainted pixels the fit follows: all, those whose mirror image the scan shows, or none."""


def guide(
    scan: Mesh,
    face: Mesh,
    *,
    face_mask: ArrayLike | None = None,
    source: str | PipelineSettings | GuidanceSettings = "shipped",
    settings: GuidanceSettings | None = None,
) -> Guidance:
    """Render a scan and the face fitted to it, and inpaint what the scan does not show.

    Parameters
    ----------
    scan, face : Mesh, face frame, mm, triangles outwards
    face_mask : (V,) bool for each vertex of `face`: where holes are filled; everywhere unless given
    source : "shipped", a pipeline's settings, or what `named_pipeline` takes for them; `GuidanceSettings`, as
        `complete(guidance=...)` hands them on, stand for "shipped" with these settings
    settings : GuidanceSettings, with another parser or inpainter where wanted

    Returns
    -------
    Guidance

    Raises
    ------
    ValueError
        For an unknown source, for a pipeline and an inpainter at once, or when no view shows anything of scan or face;
        names the reason of the last.
    CheckpointError, MissingDependency
        When weights or packages are missing.
    """
    start = time.perf_counter()
    if isinstance(source, GuidanceSettings):
        settings = source
        source = "shipped"
    settings = settings or GuidanceSettings()
    inpainter, parser = _inpainter(source, settings), _parser(settings)
    labels = np.ones(len(face.vertices), int) if face_mask is None else np.asarray(face_mask, int)
    renderer = _ViewRenderer(Scene(scan), Scene(face), labels)
    cameras = view_cameras(settings.views, half_mm=VIEW_HALF_MM, size=inpainter.size)
    shipped_inpainter = source == "shipped" and settings.inpainter is None
    careful = settings.mirrored_only and shipped_inpainter
    doubt = _symmetry_doubt(renderer, cameras.values(), settings) if careful else ""
    trust: Trust = "none" if doubt else "mirrored" if careful else "all"
    # the shipped networks are small: more threads wait for each other longer than they work
    threads = 1 if shipped_inpainter and settings.parser is None else None
    with threadpool_limits(threads, user_api="openmp"):
        views, observed_share, warnings = _views(cameras, renderer, inpainter, parser, settings=settings, trust=trust)
    if views and doubt:
        warnings.append(doubt)
    targets = [_target(view, settings.sigma_scale) for view in views if any(v.trusted.any() for v in views)]
    found = observations(targets, face.vertices, face.faces, correlation_mm=settings.correlation_mm)
    return Guidance(found, tuple(views), observed_share, tuple(warnings), time.perf_counter() - start)


def _views(
    cameras: Mapping[str, Camera],
    renderer: _ViewRenderer,
    inpainter: Inpainter,
    parser: Parser | None,
    *,
    settings: GuidanceSettings,
    trust: Trust,
) -> tuple[list[GuidedView], dict[str, float], list[str]]:
    """Views with a hole, share of each region that the parser saw, and why other views were left out."""
    views, warnings = [], []
    observed_share: dict[str, float] = {}
    for name, camera in cameras.items():
        try:
            parse = _parse(camera, renderer, parser, observed_share)
            view = _view(name, camera, renderer, inpainter, parse, settings=settings, trust=trust)
        except ValueError as error:
            warnings.append(f"view {name}: {error}")
            continue
        if view is not None:
            views.append(view)
    if len(warnings) == len(cameras):
        raise ValueError(f"no view can guide the fit; {warnings[-1]}")
    return views, observed_share, warnings


def _inpainter(source: str | PipelineSettings, settings: GuidanceSettings) -> Inpainter:
    if settings.inpainter is not None:
        if source != "shipped":
            raise ValueError("guidance takes a pipeline or an inpainter, not both; leave one out")
        return settings.inpainter
    if source == "shipped":
        return DepthInpainter.from_pretrained()
    pipeline = named_pipeline(source) if isinstance(source, str) else source
    return PipelineInpainter(load_pipeline(pipeline), pipeline, size=VIEW_SIZE_PX, seed=settings.seed)


def _parser(settings: GuidanceSettings) -> Parser | None:
    if not settings.parse:
        return None
    return FaceParser.from_pretrained() if settings.parser is None else settings.parser


class _ViewRenderer:
    """Renders of scan and fitted face, each made once however many views ask for it."""

    def __init__(self, scan: Scene, face: Scene, labels: np.ndarray) -> None:
        self._scan, self._face, self._labels = scan, face, labels
        self._made: dict[bytes, RenderPair | ValueError] = {}

    def pair(self, camera: Camera) -> RenderPair:
        """Of scan and face; ValueError where either shows nothing."""
        # the sum makes one zero of both
        key = (np.round(np.append(camera.axes, camera.eye), CAMERA_DIGITS) + 0.0).tobytes()
        if key not in self._made:
            try:
                self._made[key] = render(self._scan, camera), render(self._face, camera, labels=self._labels)
            except ValueError as error:
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, ValueError):
            raise made
        return made

    def mirrored_pair(self, camera: Camera) -> RenderPair | None:
        """What the mirrored camera shows, None where it shows nothing."""
        try:
            return self.pair(camera.mirrored())
        except ValueError:
            return None

    def scan_at(self, camera: Camera, size: int) -> Render:
        """The scan by the same camera with another number of pixels."""
        return render(self._scan, replace(camera, height=size, width=size, scale=camera.scale * size / camera.width))


def _symmetry_doubt(renderer: _ViewRenderer, cameras: Iterable[Camera], settings: GuidanceSettings) -> str:
    """Why one side of this face says nothing of the other; empty where it does."""
    pairs, face_pixels = [np.zeros((0, 2))], 0
    for camera in cameras:
        try:
            (scan, face), other = renderer.pair(camera), renderer.pair(camera.mirrored())
        except ValueError:
            continue
        no_hole = np.zeros_like(face.mask)
        (residual, known), (mirrored, mirrored_known) = (known_residual(*p, no_hole) for p in ((scan, face), other))
        in_face: Bools = np.asarray(face.labels) > 0
        both: Bools = known & mirrored_known[:, ::-1] & in_face
        pairs.append(np.stack([residual[both], mirrored[:, ::-1][both]], axis=1))
        face_pixels += int(in_face.sum())
    every = np.concatenate(pairs)
    share = len(every) / max(face_pixels, 1)
    if share < settings.min_mirrored_share:
        return f"both sides are seen of {share:.0%} of the face, too little to fill in one from the other"
    # the share of the residuals' mean square that both sides have in common
    negligible = len(every) * NO_RESIDUAL_MM**2
    symmetry = (2 * np.prod(every, axis=1).sum() + negligible) / ((every**2).sum() + negligible)
    if symmetry < settings.min_symmetry:
        return f"the sides of this face are alike to {symmetry:.0%}, too little to fill in one from the other"
    return ""


def _parse(
    camera: Camera, renderer: _ViewRenderer, parser: Parser | None, observed_share: dict[str, float]
) -> ParsedImage | None:
    """What the parser sees of the scan in a view; `observed_share` keeps the most that any view shows of a region."""
    renderer.pair(camera)
    if parser is None:
        return None
    shown = renderer.scan_at(camera, parser.size)
    parse = parser.parse(np.clip(shown.rgb(), 0, 1))
    if parse.labels.shape != shown.mask.shape:
        raise ValueError(f"the parser gave labels of {parse.labels.shape} for an image of {shown.mask.shape}")
    for region, share in parse.observed_share(shown.mask).items():
        observed_share[region] = max(share, observed_share.get(region, 0.0))
    return parse


def _view(
    name: str,
    camera: Camera,
    renderer: _ViewRenderer,
    inpainter: Inpainter,
    parse: ParsedImage | None,
    *,
    settings: GuidanceSettings,
    trust: Trust,
) -> GuidedView | None:
    """One view with its hole filled; None where the hole is too small to matter."""
    (scan, face), clutter = renderer.pair(camera), None
    if parse is not None and settings.drop_clutter:
        background = parse.mask(BACKGROUND) & (parse.confidence > settings.min_confidence)
        clutter = scan.mask & _resized(background, scan)
    mask = hole_mask(scan, face, reach_mm=settings.reach_mm, clutter=clutter)
    if mask.sum() < settings.min_pixels:
        return None
    other = renderer.mirrored_pair(camera)
    inpainted = _checked(inpainter.fill(scan, face, mask, other=other), mask)
    trusted = mask & np.isfinite(inpainted.depth)
    if trust != "all":
        trusted &= trust == "mirrored" and other is not None and _known(other)[:, ::-1]
    return GuidedView(name, scan, face, parse, inpainted, trusted)


def _checked(inpainted: InpaintedView, mask: Bools) -> InpaintedView:
    """What an inpainter gave, where it can be used."""
    shapes = {"depth": mask.shape, "normals": (*mask.shape, 3), "sigma_mm": mask.shape, "mask": mask.shape}
    for name, shape in shapes.items():
        if np.shape(getattr(inpainted, name)) != shape:
            raise ValueError(f"the inpainter gave {name} of {np.shape(getattr(inpainted, name))}, not {shape}")
    filled = inpainted.mask & np.isfinite(inpainted.depth)
    if (filled & ~mask).any() or not (inpainted.sigma_mm[filled] > 0).all():
        raise ValueError("the inpainter must fill masked pixels alone, each with a positive sigma")
    return inpainted


def _known(pair: RenderPair) -> Bools:
    return known_residual(*pair, np.zeros_like(pair[0].mask))[1]


def _resized(image: Bools, like: Render) -> Bools:
    """A square image in another one's size, each pixel that of the nearest."""
    pick = ((np.arange(like.camera.height) + 0.5) * len(image) / like.camera.height).astype(int)
    return image[pick][:, pick]


def _target(view: GuidedView, sigma_scale: float) -> ImageTarget:
    inpainted, face = view.inpainted, view.face
    mask = inpainted.mask & np.isfinite(inpainted.depth)
    depth = np.where(view.trusted, inpainted.depth, face.depth)
    normals: Floats = np.where(view.trusted[..., None], inpainted.normals, face.normals)
    return ImageTarget(face.camera, depth, normals, np.where(mask, sigma_scale * inpainted.sigma_mm, 0.0), mask)
