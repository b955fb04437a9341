"""The recipe: the whole job, one numbered stage after the other, which `finding`, `stages` and `seen` carry out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from facecom.completion.alignment import align_scan, prepare_scan
from facecom.completion.assembly import assemble_with_report
from facecom.completion.coverage import check_coverage, coverage_warnings, measure_coverage
from facecom.completion.result import Completion, FitContext, GuidanceRecord
from facecom.completion.stages import (
    add_skin_detail,
    apply_guidance,
    face_sigma,
    fit_face,
    project_face,
    render_guidance,
    stitch_face,
)
from facecom.completion.types import CompletionSettings, DetailChoice
from facecom.guidance.diffusers_pipeline import check_source
from facecom.io.conversion import as_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.scan.units import UnitChoice
from facecom.skin.detail import Detail

Progress = Callable[[str, float], None]
"""Called with the name of the stage that begins and the share of the work done before it."""


def complete(
    scan: Any,
    *,
    unit: UnitChoice = "auto",
    landmarks: Mapping[str, Any] | None = None,
    model: FaceModel | None = None,
    guidance: Any = "auto",
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
    model : any FaceModel; the shipped one unless given
    guidance : "auto", "none", "shipped" or a `PipelineSettings`: whether inpainted pictures of the scan pull the fit;
        "auto" is what docs/guidance.md finds best, today none
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
    ValueError
        For words that are none of those allowed, and unknown landmarks.
    AlignmentError, FitError
        When it is no face, or too little of one; with the figures.
    """
    for name, given, allowed in (("unit", unit, UnitChoice), ("detail", detail, DetailChoice)):
        if given not in get_args(allowed):
            raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, got {given!r}")
    check_source(guidance)
    # the matrices are small: more threads in BLAS wait for each other longer than they work
    with threadpool_limits(1, user_api="blas"):
        return _complete(
            scan,
            unit=unit,
            landmarks=landmarks or {},
            model=model,
            guidance=guidance,
            detail=detail,
            settings=settings or CompletionSettings(),
            clock=_Clock(progress),
        )


def _complete(
    scan: Any,
    *,
    unit: UnitChoice,
    landmarks: Mapping[str, Any],
    model: FaceModel | None,
    guidance: Any,
    detail: DetailChoice,
    settings: CompletionSettings,
    clock: _Clock,
) -> Completion:
    clock.begin("read")  # 1
    raw = as_mesh(scan)
    clock.begin("load model")
    model = model or LinearGenerator.load()
    template = model.template
    clock.begin("clean")  # 2
    prepared = prepare_scan(raw, unit=unit, settings=settings)
    clock.begin("align")  # 3
    landmarks_mm = {name: np.asarray(point, float) * prepared.mm_per_unit for name, point in landmarks.items()}
    start, prepared = align_scan(prepared, model, landmarks_mm, settings)
    clock.begin("fit")  # 4
    unguided = fit_face(prepared, model, start, landmarks_mm, settings)
    clock.begin("guide")  # 5
    pictures, warnings = render_guidance(prepared, model, unguided, guidance, settings)
    fitted = apply_guidance(unguided, model, pictures)
    clock.begin("project")  # 6
    projected = project_face(prepared, model, fitted, settings)
    seen = measure_coverage(prepared, template, fitted, projected, settings)
    check_coverage(seen, settings.verdict)
    warnings += coverage_warnings(seen, settings.verdict)
    clock.begin("uncertainty")  # 7
    sigma = face_sigma(model, fitted, projected, settings)
    clock.begin("join")  # 8
    joined = stitch_face(prepared, template, fitted, projected, settings)
    skin: Detail | None = None
    if detail != "none":
        clock.begin("detail")  # 9
        skin, skin_warnings = add_skin_detail(prepared, template, fitted, projected, detail, settings)
        warnings += skin_warnings
    clock.begin("report")  # 10
    told = None if pictures is None else GuidanceRecord(guidance, pictures, unguided)
    evidence = FitContext(prepared, model, fitted, projected, joined, settings, told)
    done = assemble_with_report(evidence, start, sigma, coverage=seen.coverage, skin=skin, unguided=unguided)
    clock.end()
    report = replace(done.report, seconds=dict(clock.seconds), warnings=done.report.warnings + warnings)
    return replace(done, report=report)


class _Clock:
    """Seconds by stage."""

    SHARES: Mapping[str, float] = {
        "read": 0.0, "load model": 0.1, "clean": 0.2, "align": 0.3, "fit": 0.45, "guide": 0.55, "project": 0.6,
        "uncertainty": 0.75, "join": 0.8, "detail": 0.85, "report": 0.95,
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
