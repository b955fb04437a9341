"""Dense correspondence: scans, whole or partial, brought to the template's topology.

`register` goes the way of `facecom.complete` up to the fit, lets the fitted face slide along the scan until it bends
little (see `relax`), and lays it onto the scan.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from facecom.completion import COMPLETION, CompletionState, FaceFrameScan, Progress, Stage, known
from facecom.completion.alignment import face_mask
from facecom.completion.assembly import scan_to_face
from facecom.completion.landmark_check import checked_landmarks
from facecom.completion.stages import correspondence_finder
from facecom.errors import FacecomError
from facecom.geometry.mesh import Mesh
from facecom.io.conversion import mesh_and_warnings
from facecom.model.expressions import ExpressionBasis
from facecom.model.landmark_points import LandmarkPoints
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL
from facecom.registration.expression import expression_weights
from facecom.registration.relax import relax
from facecom.registration.types import Registration, RegistrationSettings
from facecom.scan.units import UnitChoice, check_unit

REGISTRATION = COMPLETION.without("read", "load model", "guide").up_to("uncertainty")
"""What registration shares with completion; `slide_stage` comes after the fit."""
SLIDE_SHARE = 0.1
"""Of the time of a registration, about."""
OnError = Literal["raise", "skip"]
RESERVED_NAMES = ("report", "mean", "model")
"""Of files that a set of registrations has beside those of its scans."""


def register(
    scans: Sequence[Any],
    *,
    unit: UnitChoice = "auto",
    mm_per_unit: float | None = None,
    landmarks: Sequence[Mapping[str, Any] | None] | None = None,
    model: FaceModel | None = None,
    seed: int = 0,
    settings: RegistrationSettings | None = None,
    relax_expression: bool = False,
    on_error: OnError = "raise",
    progress: Progress | None = None,
) -> list[Registration]:
    """Bring scans to one topology; all are read before the work on the first begins.

    Parameters
    ----------
    scans : each in any form that `as_mesh` takes, a path, a Mesh, (vertices, faces); any pose, parts may be missing
    unit : "mm", "cm", "m", "inch", "free" or "auto", for each scan as `complete` takes it
    mm_per_unit : length of the unit of the scans, in place of `unit`
    landmarks : for each scan name -> (3,) point in its own frame and unit, or None; none are needed, any subset helps
    model : any FaceModel; the shipped one unless given
    seed : of every random step
    settings : RegistrationSettings
    relax_expression : whether each face is brought to a neutral expression; for linear models
    on_error : "raise" ends at the first scan that fails; "skip" leaves it out, with a warning that names it
    progress : called with the name of the scan and the share done before it

    Returns
    -------
    list of Registration, one for each scan, in their order; with "skip" for each that could be registered

    Raises
    ------
    ValueError
        When `scans` is a single scan instead of a list of them, or empty, when landmarks are not as many or do not
        belong to their scan, or when an expression is to be taken out of a model that is not linear.
    ScanError, AlignmentError, FitError
        As `complete` does, with the name of the scan.
    """
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error must be one of {', '.join(get_args(OnError))}, got {on_error!r}")
    results = []
    for found in register_each(
        scans,
        unit=unit,
        mm_per_unit=mm_per_unit,
        landmarks=landmarks,
        model=model,
        seed=seed,
        settings=settings,
        relax_expression=relax_expression,
        progress=progress,
    ):
        if isinstance(found, Registration):
            results.append(found)
        elif on_error == "raise":
            raise found.error
        else:
            warnings.warn(str(found.error), stacklevel=2)
    return results


@dataclass(frozen=True, eq=False)
class FailedRegistration:
    """A scan that could not be registered, and the error, whose sentence begins with its name."""

    name: str
    error: FacecomError | ValueError


def register_each(
    scans: Sequence[Any],
    *,
    unit: UnitChoice = "auto",
    mm_per_unit: float | None = None,
    landmarks: Sequence[Mapping[str, Any] | None] | None = None,
    model: FaceModel | None = None,
    seed: int = 0,
    settings: RegistrationSettings | None = None,
    relax_expression: bool = False,
    progress: Progress | None = None,
) -> Iterator[Registration | FailedRegistration]:
    """What `register` does, one scan at a time: each good one, and each that failed; those that cannot be read first.

    Parameters and errors are those of `register`, but for errors of single scans, which are yielded.
    """
    check_unit(unit, mm_per_unit)
    if isinstance(scans, str | os.PathLike | Mesh) or not isinstance(scans, Sequence) or _is_arrays(scans):
        raise ValueError(f"register takes a list of scans, got one {type(scans).__name__}; put it in a list")
    if not scans:
        raise ValueError("there are no scans to register; give at least one")
    if landmarks is not None and (isinstance(landmarks, Mapping) or len(landmarks) != len(scans)):
        raise ValueError(f"landmarks must be a list with one mapping (or None) for each of the {len(scans)} scans")
    settings, model = settings or RegistrationSettings(), model or LinearGenerator.load()
    if relax_expression and not isinstance(model, LinearGenerator):
        raise ValueError(f"an expression is taken out with a linear model, not with a {type(model).__name__}")
    names, failed = scan_names(scans), {}
    for k, scan in enumerate(scans):
        try:
            _check_readable(scan, (landmarks[k] if landmarks else None) or {})
        except (FacecomError, ValueError) as error:
            failed[k] = FailedRegistration(names[k], _named(names[k], error))
            yield failed[k]
    pipeline = REGISTRATION.insert_after("fit", slide_stage(settings))
    moves = ExpressionBasis.load() if relax_expression else None
    for k, (scan, name) in enumerate(zip(scans, names, strict=True)):
        if k in failed:
            continue
        if progress:
            progress(name, k / len(scans))
        try:
            named = checked_landmarks(landmarks[k] if landmarks else None)
            mesh, said = mesh_and_warnings(scan)
            start = CompletionState(
                raw=mesh,
                warnings=said,
                unit=unit,
                mm_per_unit=mm_per_unit,
                landmarks=named,
                model=model,
                seed=seed,
                settings=settings.completion,
            )
            found = _registration(name, pipeline.run(start), settings)
            if moves is not None and isinstance(model, LinearGenerator):
                found = _neutral(found, model, moves, settings)
        except (FacecomError, ValueError) as error:
            yield FailedRegistration(name, _named(name, error))
        else:
            yield found


def _check_readable(scan: Any, landmarks: Mapping[str, Any]) -> None:
    """Read a file and drop it: the last of many scans is not to fail after an hour for a slip in its name."""
    checked_landmarks(landmarks)
    if isinstance(scan, str | os.PathLike):
        mesh_and_warnings(scan)


def _named(name: str, error: FacecomError | ValueError) -> FacecomError | ValueError:
    """The same error, its sentence with the name of the scan."""
    kind = type(error) if isinstance(error, FacecomError) else ValueError
    named = kind(f"{name}: {error}")
    named.__cause__ = error
    return named


def _is_arrays(scans: Sequence[Any]) -> bool:
    """Whether this is one scan's (vertices, faces): the second of two arrays holds whole numbers."""
    if len(scans) != 2 or not all(hasattr(part, "shape") for part in scans):
        return False
    return not str(scans[1].dtype).removeprefix("torch.").startswith("float")


def scan_names(scans: Sequence[Any]) -> list[str]:
    """A name for each scan, all different: of its file, or its place.

    Examples
    --------
    >>> scan_names(["a/face.ply", "b/face.ply", None])
    ['face', 'face_2', 'scan_3']
    """
    names: list[str] = list(RESERVED_NAMES)
    for k, scan in enumerate(scans, start=1):
        stem = Path(scan).stem if isinstance(scan, str | os.PathLike) else f"scan_{k}"
        twin, name = 2, stem
        while name in names:
            name, twin = f"{stem}_{twin}", twin + 1
        names.append(name)
    return names[len(RESERVED_NAMES) :]


def slide_stage(settings: RegistrationSettings) -> Stage:
    """The stage that lets the fitted face slide along the scan, on a coarse level, before it is laid onto it."""

    def slide(state: CompletionState) -> CompletionState:
        scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
        template, level = model.template, FIT_LEVEL
        find = correspondence_finder(scan, fitted.pose)
        rest = template.vertices[: template.counts[level]]
        rough = model.decode(fitted.code, level=level)
        slid = relax(rough, rest, template.faces[level], find, settings=settings.relax) - rough
        offset = template.prolong(slid, from_level=level, to_level=SHAPE_LEVEL, scheme="loop")
        return replace(state, coarse_vertices=model.decode(fitted.code, level=SHAPE_LEVEL) + offset)

    return Stage("slide", slide, share=SLIDE_SHARE)


def _registration(name: str, state: CompletionState, settings: RegistrationSettings) -> Registration:
    scan, fitted, projected = known(state.scan, "clean"), known(state.fit, "fit"), known(state.projection, "project")
    template, coverage = state.template, known(state.coverage, "measure coverage").coverage
    to_scan = state.face_to_scan
    vertices = to_scan.apply(projected.vertices)
    distance = scan.mm.surface.closest(fitted.pose.inverse().apply(projected.vertices)).distance
    in_face: FaceFrameScan = known(state.in_face, "enter face frame")
    by_region = scan_to_face(in_face, template, projected)
    good = coverage >= settings.good_coverage and by_region.get("all", np.inf) <= settings.good_mm
    return Registration(
        name=name,
        vertices=vertices,
        in_face_frame=projected.vertices,
        template=template,
        observed=projected.observed,
        residual_mm=np.where(projected.observed, distance, np.nan),
        sigma_mm=known(state.sigma_mm, "uncertainty"),
        coverage=coverage,
        scan_to_face_mm=by_region,
        landmarks=LandmarkPoints.of(template, vertices),
        pose=to_scan.inverse(),
        unit=scan.unit,
        mm_per_unit=scan.mm_per_unit,
        expression={},
        good=good,
        verdict=_verdict(coverage, by_region, settings, good=good),
        warnings=state.warnings,
        mm_per_unit_sigma=scan.mm_per_unit_sigma,
    )


def _neutral(
    found: Registration, model: LinearGenerator, moves: ExpressionBasis, settings: RegistrationSettings
) -> Registration:
    """The same face without its expression."""
    template = found.template
    count = template.counts[FIT_LEVEL]
    mask = face_mask(template, level=FIT_LEVEL, radius_mm=settings.completion.face_radius_mm)
    weights = expression_weights(
        found.in_face_frame[:count], model, moves, trust=mask.astype(float), settings=settings.expression
    )
    moved = np.tensordot(weights, moves.modes, axes=1)
    in_face_frame = found.in_face_frame - template.prolong(
        moved, from_level=FIT_LEVEL, to_level=FINEST_LEVEL, scheme="loop"
    )
    vertices = found.pose.inverse().apply(in_face_frame)
    named = {n: float(w) for n, w in zip(moves.names, weights, strict=True) if w >= settings.expression.least_weight}
    return replace(
        found,
        vertices=vertices,
        in_face_frame=in_face_frame,
        landmarks=LandmarkPoints.of(template, vertices),
        expression=named,
    )


def _verdict(coverage: float, by_region: Mapping[str, float], settings: RegistrationSettings, *, good: bool) -> str:
    distance = by_region.get("all", float("nan"))
    seen = f"{coverage:.0%} of the face is observed, {distance:.3f} mm from the scan on average"
    if good:
        return f"registered: {seen}"
    reasons = []
    if coverage < settings.good_coverage:
        reasons.append(f"less than {settings.good_coverage:.0%} is observed, the rest is the model's guess")
    if not distance <= settings.good_mm:
        reasons.append(f"more than {settings.good_mm:g} mm apart")
    return f"registered with reserve: {seen}; {' and '.join(reasons)}"
