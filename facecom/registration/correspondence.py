"""Dense correspondence: scans, whole or partial, brought to the template's topology.

`register` goes the way of `facecom.complete` up to the fit, lets the fitted face slide along the scan until it bends
little (see `relax`), and lays it onto the scan.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from facecom.completion import (
    Progress,
    Scan,
    align_scan,
    check_coverage,
    correspondence_finder,
    face_mask,
    face_sigma,
    fit_face,
    measure_coverage,
    prepare_scan,
    project_face,
    scan_to_face,
)
from facecom.errors import FacecomError
from facecom.fitting.fit import Fit
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.conversion import as_mesh
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FIT_LEVEL, Template
from facecom.projection.project import Projection
from facecom.registration.expression import expression_weights
from facecom.registration.relax import relax
from facecom.registration.types import Registration, RegistrationSettings
from facecom.scan.units import UnitChoice

RELAX_LEVEL = 1


def register(
    scans: Sequence[Any],
    *,
    unit: UnitChoice = "auto",
    model: LinearGenerator | None = None,
    settings: RegistrationSettings | None = None,
    relax_expression: bool = False,
    progress: Progress | None = None,
) -> list[Registration]:
    """Bring scans to one topology.

    Parameters
    ----------
    scans : each in any form that `as_mesh` takes, a path, a Mesh, (vertices, faces); any pose, parts may be missing
    unit : "mm", "cm", "m" or "auto", which reads it off the size of each scan
    model : the face model; the shipped one unless given
    settings : RegistrationSettings
    relax_expression : whether each face is brought to a neutral expression
    progress : called with the name of the scan and the share done before it

    Returns
    -------
    list of Registration, one for each scan, in their order

    Raises
    ------
    ValueError
        When `scans` is a single scan instead of a list of them, or empty.
    ScanError, AlignmentError, FitError
        As `complete` does, with the name of the scan.
    """
    if unit not in get_args(UnitChoice):
        raise ValueError(f"unit must be one of {', '.join(get_args(UnitChoice))}, got {unit!r}")
    if isinstance(scans, str | os.PathLike | Mesh) or not isinstance(scans, Sequence) or _is_arrays(scans):
        raise ValueError(f"register takes a list of scans, got one {type(scans).__name__}; put it in a list")
    if not scans:
        raise ValueError("there are no scans to register; give at least one")
    settings, model = settings or RegistrationSettings(), model or LinearGenerator.load()
    moves = ExpressionBasis.load() if relax_expression else None
    results = []
    for k, (scan, name) in enumerate(zip(scans, scan_names(scans), strict=True)):
        if progress:
            progress(name, k / len(scans))
        try:
            found = _register(as_mesh(scan), name, unit, model, settings)
            results.append(found if moves is None else _neutral(found, model, moves, settings))
        except FacecomError as error:
            raise type(error)(f"{name}: {error}") from error
    return results


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
    names: list[str] = []
    for k, scan in enumerate(scans, start=1):
        stem = Path(scan).stem if isinstance(scan, str | os.PathLike) else f"scan_{k}"
        twin, name = 2, stem
        while name in names:
            name, twin = f"{stem}_{twin}", twin + 1
        names.append(name)
    return names


def _register(
    raw: Mesh, name: str, unit: UnitChoice, model: LinearGenerator, settings: RegistrationSettings
) -> Registration:
    stages = settings.completion
    scan = prepare_scan(raw, unit=unit, settings=stages)  # 1
    start, scan = align_scan(scan, model, {}, stages)  # 2
    fitted = fit_face(scan, model, start, {}, stages)  # 3
    projected = _laid_on(scan, model, fitted, settings)  # 4
    seen = measure_coverage(scan, model.template, fitted, projected, stages)
    check_coverage(seen, stages.verdict)
    sigma = face_sigma(model, fitted, projected, stages)  # 5
    return _registration(name, scan, model.template, fitted, projected, sigma, seen.coverage, settings)


def _laid_on(scan: Scan, model: LinearGenerator, fitted: Fit, settings: RegistrationSettings) -> Projection:
    """The fitted face, slid along the scan on a coarse level and laid onto it on the fine ones."""
    template, level = model.template, RELAX_LEVEL
    find = correspondence_finder(scan, fitted.pose)
    rest = template.vertices[: template.counts[level]]
    rough = model.decode(fitted.code, level=level)
    slid = relax(rough, rest, template.faces[level], find, settings=settings.relax) - rough
    coarse = model.decode(fitted.code, level=2) + template.prolong(slid, from_level=level, to_level=2, scheme="loop")
    return project_face(scan, model, fitted, settings.completion, coarse=coarse)


def _registration(
    name: str,
    scan: Scan,
    template: Template,
    fitted: Fit,
    projected: Projection,
    sigma: Floats,
    coverage: float,
    settings: RegistrationSettings,
) -> Registration:
    to_scan = Similarity(scale=1.0 / scan.mm_per_unit) @ fitted.pose.inverse()
    vertices = to_scan.apply(projected.vertices)
    distance = scan.mm.surface.closest(fitted.pose.inverse().apply(projected.vertices)).distance
    by_region = scan_to_face(scan, fitted.pose, template, projected)
    good = coverage >= settings.good_coverage and by_region.get("all", np.inf) <= settings.good_mm
    return Registration(
        name=name,
        vertices=vertices,
        in_face_frame=projected.vertices,
        template=template,
        measured=projected.measured,
        residual_mm=np.where(projected.measured, distance, np.nan),
        sigma_mm=sigma,
        coverage=coverage,
        scan_to_face_mm=by_region,
        landmarks={landmark: vertices[at] for landmark, at in template.landmarks.items()},
        pose=to_scan.inverse(),
        unit=scan.unit,
        mm_per_unit=scan.mm_per_unit,
        expression={},
        good=good,
        verdict=_verdict(coverage, by_region, settings, good=good),
    )


def _neutral(
    found: Registration, model: LinearGenerator, moves: ExpressionBasis, settings: RegistrationSettings
) -> Registration:
    """The same face without its expression."""
    template = found.template
    count = template.counts[FIT_LEVEL]
    proper = face_mask(template, level=FIT_LEVEL, radius_mm=settings.completion.face_radius_mm)
    weights = expression_weights(
        found.in_face_frame[:count], model, moves, trust=proper.astype(float), settings=settings.expression
    )
    moved = np.tensordot(weights, moves.modes, axes=1)
    in_face_frame = found.in_face_frame - template.prolong(moved, from_level=FIT_LEVEL, to_level=3, scheme="loop")
    vertices = found.pose.inverse().apply(in_face_frame)
    named = {n: float(w) for n, w in zip(moves.names, weights, strict=True) if w >= settings.expression.least_weight}
    return replace(
        found,
        vertices=vertices,
        in_face_frame=in_face_frame,
        landmarks={landmark: vertices[at] for landmark, at in template.landmarks.items()},
        expression=named,
    )


def _verdict(coverage: float, by_region: Mapping[str, float], settings: RegistrationSettings, *, good: bool) -> str:
    distance = by_region.get("all", float("nan"))
    seen = f"{coverage:.0%} of the face is seen, {distance:.3f} mm from the scan on average"
    if good:
        return f"registered: {seen}"
    reasons = []
    if coverage < settings.good_coverage:
        reasons.append(f"less than {settings.good_coverage:.0%} is seen, the rest is the model's guess")
    if not distance <= settings.good_mm:
        reasons.append(f"more than {settings.good_mm:g} mm apart")
    return f"registered with reserve: {seen}; {' and '.join(reasons)}"
