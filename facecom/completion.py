"""The whole job: a partial scan in, the whole face out, and for each vertex whether it was measured and how sure it is.

`complete` is the recipe; each numbered line is a stage in a folder of its own.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from facecom.errors import AlignmentError, FitError, ScanError
from facecom.fitting.fit import Fit, FitSettings, Start, StartSettings, best_start, fit
from facecom.fitting.posterior import (
    PosteriorSettings,
    calibrated_sigma,
    draw,
    freedom,
    motion_rows,
    posterior_sigma,
    pull,
    variance_factor,
)
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.matching import Matches, OrientedSurface, cluster_vertices
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.geometry.transform import Similarity
from facecom.interop import as_mesh
from facecom.model.linear import LinearGenerator
from facecom.model.template import Template
from facecom.refine.detail import PROVENANCE_NAMES, Detail, DetailSettings, add_detail
from facecom.refine.join import Joined, JoinSettings, join
from facecom.refine.project import Projected, ProjectSettings, project
from facecom.scan.align import Alignment, AlignSettings, align, align_landmarks
from facecom.scan.clean import CleanReport, clean_scan
from facecom.scan.surface import surface_from_points
from facecom.scan.units import UnitChoice, resolve_unit

MEASURED, MADE = 0, 1
DetailChoice = Literal["none", "own", "synthetic"]
Progress = Callable[[str, float], None]
"""Called with the name of the stage that begins and the share of the work done before it."""


@dataclass(frozen=True)
class Verdict:
    """What a scan must show to count as a face, and to be completed."""

    least_score: float = 0.17
    """Share of the face proper that must be explained by the rough fit."""
    least_seen: float = 0.12
    """Share of the face proper that must be measured in the end."""
    most_rms_mm: float = 2.2
    """Distance between rough fit and scan, root mean square, that still is a face."""
    most_prior: float = 4.0
    """Squared code for each entry of the rough fit: a face has about one."""
    sure_score: float = 0.35
    sure_prior: float = 2.5
    """A start as good as this ends the search."""

    def convinces(self, start: Start) -> bool:
        """Whether to look no further."""
        return start.score > self.sure_score and start.prior < self.sure_prior


@dataclass(frozen=True)
class CompletionSettings:
    """Everything that affects the result, besides scan, model, landmarks and unit."""

    seed: int = 0
    align: AlignSettings = field(default_factory=AlignSettings)
    start: StartSettings = field(default_factory=StartSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    project: ProjectSettings = field(default_factory=ProjectSettings)
    posterior: PosteriorSettings = field(default_factory=PosteriorSettings)
    join: JoinSettings = field(default_factory=JoinSettings)
    detail: DetailSettings = field(default_factory=DetailSettings)
    verdict: Verdict = field(default_factory=Verdict)
    fit_cell_mm: float = 1.2
    """Scans with shorter edges are averaged over cells of this size for the fit."""
    outer_trust: float = 0.05
    """Weight of scalp, ears and neck in the fit: hair and collars are no face."""
    face_radius_mm: float = 90.0
    """The face proper: this far from the axis through the middle of the face, and no deeper behind the nose tip."""


@dataclass(frozen=True)
class Report:
    """What was done and what it showed; lengths in mm.

    unit, mm_per_unit : of the scan and of every output
    pose : 4x4 matrix, scan frame (in mm) -> face frame
    score, coverage : share of the face explained by the rough fit, and measured in the end
    scan_to_face_mm : mean distance of the scan to the completed face by region
    measured_share, made_share : of the completed face's area
    removed : what cleaning took out
    """

    unit: str
    mm_per_unit: float
    pose: tuple[tuple[float, ...], ...]
    score: float
    coverage: float
    fit_rms_mm: float
    scan_to_face_mm: Mapping[str, float]
    measured_share: float
    made_share: float
    sigma_made_mm: float
    holes_filled: int
    removed: Mapping[str, int]
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    model: Mapping[str, Any]
    warnings: tuple[str, ...]
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Completion:
    """A completed face in the scan's own frame and unit.

    Parameters
    ----------
    face : Mesh, the whole face in the template's topology (48,393 vertices)
    merged : Mesh, the scan's triangles untouched, and the patch
    patch : Mesh, what was missing
    provenance, merged_provenance : (V,) int for each vertex of `face` and `merged`: 0 measured, 1 made
    sigma_mm, merged_sigma_mm : (V,) float, standard deviation along the normal
    pose : Similarity, the scan's own frame and unit -> face frame, mm
    report : Report
    detail : Detail or None, skin relief of the hole and its border, face frame, mm; None unless asked for
    """

    face: Mesh
    merged: Mesh
    patch: Mesh
    provenance: Ints
    sigma_mm: Floats
    merged_provenance: Ints
    merged_sigma_mm: Floats
    pose: Similarity
    report: Report
    evidence: Evidence = field(repr=False)
    detail: Detail | None = None

    def samples(self, count: int, *, seed: int = 0) -> list[Completion]:
        """Other completions that explain the scan as well, drawn from the posterior; what was measured stays.

        Raises
        ------
        ValueError
            When `count` is negative.
        """
        if count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        own = self.evidence
        factor = variance_factor(own.fit.terms["plane_rms_mm"], settings=own.settings.posterior)
        drawn = draw(own.fit.precision, count=count, seed=seed)
        return [self._moved(own.displacement(factor * deviation)) for deviation in drawn]

    def refit(self, points: Mapping[str | int, Any], *, sigma_mm: float = 0.1) -> Completion:
        """The most likely completion in which some points of the face lie where they are dragged.

        Parameters
        ----------
        points : landmark name or vertex of `face` -> (3,) where it should lie, in the scan's frame and unit
        sigma_mm : how exactly

        Raises
        ------
        ValueError
            For unknown landmarks, and for points on measured surface, which does not move.
        """
        own = self.evidence
        template = own.model.template
        pick = np.array([k if isinstance(k, int) else template.landmark_index(k) for k in points], dtype=np.int64)
        fixed = own.freedom[pick] < 0.02
        if fixed.any():
            name = list(points)[int(np.argmax(fixed))]
            raise ValueError(f"the point {name!r} lies on measured surface, which does not move; drag one of the hole")
        goal = self.pose.apply(np.array([points[k] for k in points], dtype=float).reshape(-1, 3))
        gaps = (goal - own.projected.vertices[pick]).ravel()
        rows = own.rows(pick).reshape(3 * len(pick), -1)
        factor = variance_factor(own.fit.terms["plane_rms_mm"], settings=own.settings.posterior)
        deviation = pull(rows, own.fit.precision, gaps, sigma_mm=np.full(len(gaps), sigma_mm), factor=factor)
        return self._moved(own.displacement(deviation))

    def _moved(self, displacement: Floats) -> Completion:
        """The same completion with its face moved by (V, 3) mm in the face frame, the patch along with it."""
        own = self.evidence
        scan_count = len(own.scan.mesh.vertices)
        back = self.pose.inverse()
        shift = back.scale * back.rotate(displacement)
        face = self.face.with_vertices(_short(self.face.vertices + shift))
        vertices = self.merged.vertices.copy()
        vertices[scan_count:] = _short(vertices[scan_count:] + own.joined.weights @ shift)
        merged = Mesh(vertices, self.merged.faces, colors=self.merged.colors)
        fresh = np.arange(len(merged.faces)) >= len(own.scan.mesh.faces)
        projected = replace(own.projected, vertices=own.projected.vertices + displacement)
        return replace(
            self,
            face=face,
            merged=merged,
            patch=merged.submesh(fresh)[0],
            evidence=replace(own, projected=projected),
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a completion rests on, kept so that it can be sampled and refitted."""

    scan: Scan
    model: LinearGenerator
    fit: Fit
    projected: Projected
    joined: Joined
    settings: CompletionSettings

    @functools.cached_property
    def freedom(self) -> Floats:
        """How freely each vertex of the face may move, (V,): 0 where measured, 1 deep in a hole."""
        return freedom(self.projected.vertices, self.projected.measured, settings=self.settings.posterior)

    def rows(self, pick: Ints) -> Floats:
        """Derivative (n, 3, M + 6) of finest-level vertices by code and motion, as far as they are free."""
        level = 1 if pick.max(initial=0) < self.model.template.counts[1] else 2
        count = self.model.template.counts[level]
        if pick.max(initial=0) >= count:
            raise ValueError(f"vertex {int(pick.max())} is finer than level {level}; drag one of the first {count}")
        jacobian = self.model.jacobian(self.fit.code, level=level).reshape(count, 3, -1)[pick]
        both = np.concatenate([jacobian, motion_rows(self.projected.vertices[pick])], axis=2)
        return self.freedom[pick][:, None, None] * both

    def displacement(self, deviation: Floats) -> Floats:
        """Movement (V, 3), mm, face frame, of the finest level for a deviation (M + 6,) of code and motion."""
        moved = self.model.decode(self.fit.code + deviation[:-6], level=2) - self.model.decode(self.fit.code, level=2)
        fine = self.model.prolong_offset(moved, from_level=2, to_level=3)
        fine = fine + motion_rows(self.projected.vertices) @ deviation[-6:]
        return self.freedom[:, None] * fine

    def to_scan(self, pose: Similarity) -> Similarity:
        """Face frame, mm -> the scan's own frame and unit."""
        return Similarity(scale=1.0 / self.scan.mm_per_unit) @ pose.inverse()


@dataclass(frozen=True, eq=False)
class Scan:
    """A cleaned scan: `mesh` in its own unit, `mm` the same in mm with triangles outwards, and coarser for the fit."""

    mesh: Mesh
    mm: OrientedSurface
    for_fit: OrientedSurface
    unit: str
    mm_per_unit: float
    inside_out: bool
    removed: CleanReport


def complete(
    scan: Any,
    *,
    unit: UnitChoice = "auto",
    landmarks: Mapping[str, Any] | None = None,
    model: LinearGenerator | None = None,
    detail: DetailChoice = "none",
    settings: CompletionSettings | None = None,
    progress: Progress | None = None,
) -> Completion:
    """Complete a partial scan of a face.

    Parameters
    ----------
    scan : path, Mesh, or any form that `as_mesh` takes; any pose
    unit : "mm", "cm", "m" or "auto", which reads it off the scan's size
    landmarks : name -> (3,) point in the scan's own frame and unit; none are needed, any subset helps
    model : the face model; the shipped one unless given
    detail : "own" makes skin relief for the hole from this person's own skin, where the scan carries any; "synthetic"
        falls back to a generic skin
    settings : CompletionSettings
    progress : called as each stage begins

    Returns
    -------
    Completion

    Raises
    ------
    ScanError
        When there is no usable surface or the unit is not clear.
    AlignmentError, FitError
        When it is no face, or too little of one; with the figures.
    """
    settings, clock = settings or CompletionSettings(), _Clock(progress)
    for name, given, allowed in (("unit", unit, UnitChoice), ("detail", detail, DetailChoice)):
        if given not in get_args(allowed):
            raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, got {given!r}")
    clock.begin("read")  # 1
    raw = as_mesh(scan)
    clock.begin("load model")
    model = model or LinearGenerator.load()
    clock.begin("clean")  # 2
    prepared = prepare_scan(raw, unit=unit, settings=settings)
    clock.begin("align")  # 3
    points = {name: np.asarray(p, float) * prepared.mm_per_unit for name, p in (landmarks or {}).items()}
    start, prepared = find_face(prepared, model, points, settings)
    clock.begin("fit")  # 4
    fitted = _fit(prepared, model, start, points, settings)
    clock.begin("project")  # 5
    projected = _project(prepared, model, fitted, settings)
    coverage = _coverage(model.template, projected, settings)
    if coverage < settings.verdict.least_seen:
        raise FitError(
            f"only {coverage:.0%} of the face is seen in the scan, at least {settings.verdict.least_seen:.0%} is needed"
        )
    clock.begin("uncertainty")  # 6
    sigma = _sigma(model, fitted, projected, settings)
    clock.begin("join")  # 7
    joined = _join(prepared, model.template, fitted, projected, settings)
    skin: Detail | None = None
    problem: tuple[str, ...] = ()
    if detail != "none":
        clock.begin("detail")  # 8
        skin, problem = _detail(prepared, model.template, fitted, projected, detail, settings)
    clock.begin("report")  # 9
    evidence = Evidence(prepared, model, fitted, projected, joined, settings)
    done = _completion(evidence, start, sigma, coverage, clock)
    report = replace(done.report, detail=_skin_report(skin), warnings=done.report.warnings + problem)
    return replace(done, detail=skin, report=report)


class _Clock:
    """Seconds by stage."""

    SHARES: Mapping[str, float] = {
        "read": 0.0, "load model": 0.1, "clean": 0.2, "align": 0.3, "fit": 0.45, "project": 0.6, "uncertainty": 0.75,
        "join": 0.8, "detail": 0.85, "report": 0.95,
    }  # fmt: skip

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._stage: str | None = None
        self._since = 0.0
        self.seconds: dict[str, float] = {}

    def begin(self, stage: str) -> None:
        self.end()
        self._stage, self._since = stage, time.perf_counter()
        if self._progress:
            self._progress(stage, self.SHARES[stage])

    def end(self) -> None:
        if self._stage is not None:
            self.seconds[self._stage] = time.perf_counter() - self._since
            self._stage = None


def prepare_scan(raw: Mesh, *, unit: UnitChoice, settings: CompletionSettings) -> Scan:
    """Give points a surface, clean, find the unit, and make the coarser copy for the fit."""
    surface = raw if len(raw.faces) else surface_from_points(raw, seed=settings.seed)
    cleaned = clean_scan(surface)
    mesh = cleaned.mesh
    if len(mesh.faces) < 50:
        raise ScanError(f"the scan has {len(mesh.faces)} usable triangles, too few for a face; scan again")
    found = resolve_unit(mesh, unit)
    in_mm = Mesh(mesh.vertices * found.scale_to_mm, mesh.faces, colors=mesh.colors)
    return _oriented(Scan(mesh, None, None, found.unit, found.scale_to_mm, False, cleaned.report), in_mm, settings)  # type: ignore[arg-type]


def _oriented(scan: Scan, in_mm: Mesh, settings: CompletionSettings) -> Scan:
    some = in_mm.faces[:: max(1, len(in_mm.faces) // 20_000)]
    spacing = float(np.median(np.linalg.norm(in_mm.vertices[some[:, 0]] - in_mm.vertices[some[:, 1]], axis=1)))
    coarse = in_mm if spacing > 0.6 * settings.fit_cell_mm else cluster_vertices(in_mm, cell_mm=settings.fit_cell_mm)[0]
    fine = OrientedSurface(in_mm)
    return replace(scan, mm=fine, for_fit=fine if coarse is in_mm else OrientedSurface(coarse))


def _turned(scan: Scan, settings: CompletionSettings) -> Scan:
    """The same scan with its triangles facing the other way."""
    flipped = Mesh(scan.mm.mesh.vertices, scan.mm.mesh.faces[:, ::-1], colors=scan.mm.mesh.colors)
    return replace(_oriented(scan, flipped, settings), inside_out=not scan.inside_out)


def face_proper(template: Template, *, level: int, radius_mm: float) -> Bools:
    """Vertices of a level that are face, not scalp, ear or neck, (V,)."""
    x, y, z = template.vertices[: template.counts[level]].T
    return (np.hypot(x, y - 10.0) < radius_mm) & (z > -radius_mm)


def face_trust(template: Template, *, level: int, settings: CompletionSettings) -> Floats:
    """How much each vertex counts in the fit, (V,): by the area it stands for, in units of 16 mm2, and by region."""
    count = template.counts[level]
    area = vertex_areas(template.vertices[:count], template.faces[level])
    proper = face_proper(template, level=level, radius_mm=settings.face_radius_mm)
    return np.clip(area / 16.0, 0.05, 3.0) * np.where(proper, 1.0, settings.outer_trust)


def find_face(
    scan: Scan, model: LinearGenerator, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> tuple[Start, Scan]:
    """The pose in which the scan is most a face, and the scan with its triangles outwards."""
    template, found = model.template, []
    if len(landmarks) >= 3:
        names = sorted(landmarks)
        target = template.vertices[[template.landmark_index(n) for n in names]]
        pose = align_landmarks(np.array([landmarks[n] for n in names]), target)
        poses = [Alignment(pose, 1.0, inside_out) for inside_out in (False, True)]
        found = _starts(scan, model, poses, settings)
    else:
        for reference in references(template, radius_mm=settings.face_radius_mm - 5.0):
            found += _starts(scan, model, align(scan.for_fit.mesh, reference, settings=settings.align), settings)
            if any(settings.verdict.convinces(start) for start, _ in found):
                break
    if not found:
        raise AlignmentError("no pose makes the scan look like a face: nothing of it matches; is it a face?")
    start, side = max(found, key=lambda pair: pair[0].score)
    _judge(start, settings.verdict)
    return start, side


def references(template: Template, *, radius_mm: float) -> Iterator[Mesh]:
    """What to look for in a scan: the face proper, then, for scans from the side, each half with its ear."""
    mesh = template.mesh(1)
    proper = face_proper(template, level=1, radius_mm=radius_mm)
    yield mesh.submesh(np.all(proper[mesh.faces], axis=1))[0]
    sideways = vertex_normals(mesh.vertices, mesh.faces)[:, 0]
    for side in (1.0, -1.0):
        seen = (side * mesh.vertices[:, 0] > -3.0) & (side * sideways > 0.1)
        yield mesh.submesh(np.all(seen[mesh.faces], axis=1))[0]


def _starts(
    scan: Scan, model: LinearGenerator, poses: list[Alignment], settings: CompletionSettings
) -> list[tuple[Start, Scan]]:
    """The best rough fit for each orientation of the triangles that the poses suggest."""
    weights = face_trust(model.template, level=1, settings=settings)
    found = []
    for inside_out in sorted({candidate.inside_out for candidate in poses}):
        side = _turned(scan, settings) if inside_out else scan
        tried = [candidate.pose for candidate in poses if candidate.inside_out == inside_out]
        start = best_start(side.for_fit, model, tried, weights=weights, settings=settings.start)
        if start is not None:
            found.append((start, side))
    return found


def _judge(start: Start, verdict: Verdict) -> None:
    figures = (
        f"at best {start.score:.0%} of a face is explained (needed {verdict.least_score:.0%}), with {start.rms_mm:.1f} "
        f"mm between (at most {verdict.most_rms_mm:g}) and a shape {start.prior:.1f} times as unusual as a face "
        f"(at most {verdict.most_prior:g})"
    )
    if start.score < verdict.least_score or start.rms_mm > verdict.most_rms_mm or start.prior > verdict.most_prior:
        raise AlignmentError(f"the scan does not look like a face, or shows too little of one: {figures}")


def _fit(
    scan: Scan, model: LinearGenerator, start: Start, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> Fit:
    template = model.template
    return fit(
        scan.for_fit,
        model,
        start.pose,
        settings=settings.fit,
        weights=face_trust(template, level=1, settings=settings),
        landmarks=landmarks,
        landmark_vertices={name: template.landmark_index(name) for name in landmarks},
    )


def _project(scan: Scan, model: LinearGenerator, fitted: Fit, settings: CompletionSettings) -> Projected:
    template = model.template

    def find(vertices: Floats, normals: Floats, reach_mm: float) -> Matches:
        return scan.mm.match(vertices, normals, pose=fitted.pose, reach_mm=reach_mm, normal_limit_rad=1.1)

    coarse = model.decode(fitted.code, level=2)
    fine = template.vertices + model.prolong_offset(coarse - template.vertices[: len(coarse)], from_level=2, to_level=3)
    levels = ((coarse, template.faces[2]), (fine, template.faces[3]))
    return project(levels, template.prolongation(2, scheme="loop"), find, settings=settings.project)


def _coverage(template: Template, projected: Projected, settings: CompletionSettings) -> float:
    """Share of the face proper that was measured, by area on the mean face."""
    proper = face_proper(template, level=3, radius_mm=settings.face_radius_mm - 10.0)
    area = vertex_areas(template.vertices, template.faces[3]) * proper
    return float(area @ projected.measured / area.sum())


def _sigma(model: LinearGenerator, fitted: Fit, projected: Projected, settings: CompletionSettings) -> Floats:
    template, level = model.template, 1
    vertices = projected.vertices[: template.counts[level]]
    normals = vertex_normals(projected.vertices, template.faces[3])[: len(vertices)]
    jacobian = model.jacobian(fitted.code, level=level)
    coarse = posterior_sigma(jacobian, vertices, normals, fitted.precision)
    fine = template.prolong(coarse, from_level=level, to_level=3)
    return calibrated_sigma(
        fine,
        projected.vertices,
        projected.measured,
        residual_mm=fitted.terms["plane_rms_mm"],
        settings=settings.posterior,
    )


def _join(scan: Scan, template: Template, fitted: Fit, projected: Projected, settings: CompletionSettings) -> Joined:
    in_face = scan.mm.mesh.with_vertices(fitted.pose.apply(scan.mm.mesh.vertices))
    face = Mesh(projected.vertices, template.faces[3], uv=template.uv)
    return join(in_face, face, settings=settings.join)


def _detail(
    scan: Scan,
    template: Template,
    fitted: Fit,
    projected: Projected,
    choice: Literal["own", "synthetic"],
    settings: CompletionSettings,
) -> tuple[Detail | None, tuple[str, ...]]:
    """Skin relief in the face frame, and what stood in its way."""
    in_face = scan.mm.mesh.with_vertices(fitted.pose.apply(scan.mm.mesh.vertices))
    face = Mesh(projected.vertices, template.faces[3], uv=template.uv)
    options = replace(settings.detail, mode=choice)
    try:
        made = add_detail(
            in_face,
            face,
            measured=projected.measured,
            mirror=template.mirror,
            region=template.region,
            settings=options,
            seed=settings.seed,
        )
    except ValueError as error:
        return None, (f"no skin detail: {error}",)
    return made, made.warnings


def _skin_report(skin: Detail | None) -> dict[str, Any] | None:
    if skin is None:
        return None
    share = np.bincount(skin.provenance, minlength=len(PROVENANCE_NAMES)) / len(skin.provenance)
    bands = {name: np.asarray(value).tolist() for name, value in vars(skin.bands).items()}
    return {
        "vertices": len(skin.mesh.vertices),
        "provenance": dict(zip(PROVENANCE_NAMES, share.tolist(), strict=True)),
        "bands": bands,
    }


def _completion(evidence: Evidence, start: Start, sigma: Floats, coverage: float, clock: _Clock) -> Completion:
    scan, joined, template = evidence.scan, evidence.joined, evidence.model.template
    to_scan = evidence.to_scan(evidence.fit.pose)
    order = slice(None, None, -1) if scan.inside_out else slice(None)
    face = Mesh(_short(to_scan.apply(evidence.projected.vertices)), template.faces[3][:, order], uv=template.uv)
    count = len(scan.mesh.vertices)
    vertices = np.concatenate([scan.mesh.vertices, _short(to_scan.apply(joined.merged.vertices[count:]))])
    merged = Mesh(vertices, joined.merged.faces[:, order], colors=joined.merged.colors)
    fresh = np.arange(len(merged.faces)) >= len(scan.mesh.faces)
    patch, _ = merged.submesh(fresh) if fresh.any() else (Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), None)
    made_sigma = joined.weights @ sigma
    merged_sigma = np.concatenate([np.full(count, evidence.settings.posterior.measured_mm), made_sigma])
    provenance = np.where(evidence.projected.measured, MEASURED, MADE)
    report = _report(evidence, start, sigma, coverage, clock)
    return Completion(
        face=face,
        merged=merged,
        patch=patch,
        provenance=provenance,
        sigma_mm=sigma,
        merged_provenance=joined.provenance,
        merged_sigma_mm=merged_sigma,
        pose=to_scan.inverse(),
        report=report,
        evidence=evidence,
    )


def _short(vertices: Floats) -> Floats:
    """Rounded to what float32 holds, so that files need no more."""
    return vertices.astype(np.float32).astype(float)


def _report(evidence: Evidence, start: Start, sigma: Floats, coverage: float, clock: _Clock) -> Report:
    scan, projected, template = evidence.scan, evidence.projected, evidence.model.template
    area = vertex_areas(projected.vertices, template.faces[3])
    measured = float(area @ projected.measured / area.sum())
    made = ~projected.measured
    by_region = _scan_to_face(scan, evidence.fit.pose, template, projected)
    clock.end()
    return Report(
        unit=scan.unit,
        mm_per_unit=scan.mm_per_unit,
        pose=tuple(tuple(row) for row in evidence.fit.pose.matrix().tolist()),
        score=start.score,
        coverage=coverage,
        fit_rms_mm=evidence.fit.terms["plane_rms_mm"],
        scan_to_face_mm=by_region,
        measured_share=measured,
        made_share=1.0 - measured,
        sigma_made_mm=float(sigma[made].mean()) if made.any() else 0.0,
        holes_filled=evidence.joined.n_loops_filled,
        removed={k: v for k, v in vars(scan.removed).items() if v and not k.endswith(("before", "after"))},
        seconds=dict(clock.seconds),
        seed=evidence.settings.seed,
        versions=_versions(),
        model=dict(evidence.model.description),
        warnings=evidence.joined.warnings,
    )


def _scan_to_face(scan: Scan, pose: Similarity, template: Template, projected: Projected) -> dict[str, float]:
    """Mean distance in mm of the scan's vertices near the face to the completed face, by region."""
    step = max(1, len(scan.mm.mesh.vertices) // 40_000)
    points = pose.apply(scan.mm.mesh.vertices[::step])
    found = Surface(Mesh(projected.vertices, template.faces[3])).closest(points)
    nearest = template.faces[3][found.faces, np.argmax(found.barycentric, axis=1)]
    near = (found.distance < 5.0) & projected.measured[nearest]
    names = {"all": near} | {
        name: near & (template.region[nearest] == k) for k, name in enumerate(template.region_names)
    }
    return {name: float(found.distance[mask].mean()) for name, mask in names.items() if mask.any()}


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for package in ("facecom", "numpy", "scipy", "open3d", "torch"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
