"""The job as a pipeline: named, timed stages that can be left out, replaced, or joined by others.

`COMPLETION` is the whole job; registration, the second completion of a prosthesis, the ablation and the viewer run
parts of it, from states that already know what the left-out stages would find.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict, get_args

from threadpoolctl import threadpool_limits

from facecom.completion import defect_stages, stages
from facecom.completion.landmark_check import checked_landmarks
from facecom.completion.result import Completion
from facecom.completion.state import CompletionState, known
from facecom.completion.types import CompletionSettings, DetailChoice, GuidanceSource
from facecom.guidance.diffusers_pipeline import check_source
from facecom.model.protocol import FaceModel
from facecom.scan.units import UnitChoice, check_unit

Progress = Callable[[str, float], None]
"""Called with the name of the stage that begins and the share of the work before it; it may raise to end the job."""
BLAS_THREADS = 1
"""The matrices are small: more threads in BLAS wait for each other longer than they work."""


@dataclass(frozen=True)
class Stage:
    """A step of a job.

    name : as progress, timings and errors have it
    run : from the state before it to the state after it; it changes neither
    share : of the job's time, about, for progress bars
    """

    name: str
    run: Callable[[CompletionState], CompletionState]
    share: float = 0.0


@dataclass(frozen=True)
class Pipeline:
    """Stages in their order; each method gives another pipeline and leaves this one as it is.

    Examples
    --------
    >>> COMPLETION.up_to("clean").names
    ('read', 'load model', 'read marks', 'clean')
    >>> COMPLETION.without("guide", "detail").starting_at("fit").up_to("project").names
    ('fit', 'find defects', 'doubt swelling', 'defect probability', 'check shape', 'enter face frame', 'project')
    """

    stages: tuple[Stage, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stages, in their order."""
        return tuple(stage.name for stage in self.stages)

    def run(self, state: CompletionState, *, progress: Progress | None = None) -> CompletionState:
        """Run all stages; the state that comes back knows the seconds of each."""
        whole = sum(stage.share for stage in self.stages) or 1.0
        seconds, done = dict(state.seconds), 0.0
        with threadpool_limits(BLAS_THREADS, user_api="blas"):
            for stage in self.stages:
                if progress:
                    progress(stage.name, done / whole)
                since = time.perf_counter()
                state = stage.run(state)
                seconds[stage.name] = time.perf_counter() - since
                done += stage.share
        return replace(state, seconds=seconds)

    def without(self, *names: str) -> Pipeline:
        """The same less the named stages."""
        gone = {self._place(name) for name in names}
        return Pipeline(tuple(stage for k, stage in enumerate(self.stages) if k not in gone))

    def replace_stage(self, name: str, run: Callable[[CompletionState], CompletionState]) -> Pipeline:
        """The same with another function for the named stage."""
        k = self._place(name)
        return Pipeline((*self.stages[:k], replace(self.stages[k], run=run), *self.stages[k + 1 :]))

    def insert_after(self, name: str, stage: Stage) -> Pipeline:
        """The same with a further stage after the named one."""
        k = self._place(name) + 1
        return Pipeline((*self.stages[:k], stage, *self.stages[k:]))

    def starting_at(self, name: str) -> Pipeline:
        """The named stage and what comes after it."""
        return Pipeline(self.stages[self._place(name) :])

    def up_to(self, name: str) -> Pipeline:
        """What comes before the named stage, and that stage."""
        return Pipeline(self.stages[: self._place(name) + 1])

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"there is no stage {name!r}; the stages are {', '.join(self.names)}")
        return self.names.index(name)


COMPLETION = Pipeline(
    (
        Stage("read", stages.read, 0.10),
        Stage("load model", stages.load_model, 0.10),
        Stage("read marks", defect_stages.read_marks),
        Stage("clean", stages.clean, 0.10),
        Stage("apply marks", defect_stages.apply_marks),
        Stage("align", stages.align, 0.15),
        Stage("apply outlines", defect_stages.apply_outlines),
        Stage("fit", stages.fit, 0.10),
        Stage("find defects", defect_stages.find_defects, 0.05),
        Stage("doubt swelling", defect_stages.doubt_swelling, 0.05),
        Stage("defect probability", defect_stages.estimate_defect_probability),
        Stage("check shape", stages.check_shape),
        Stage("guide", stages.guide, 0.05),
        Stage("enter face frame", stages.enter_face_frame),
        Stage("project", stages.project, 0.15),
        Stage("measure coverage", stages.measure_coverage),
        Stage("check coverage", stages.check_coverage),
        Stage("uncertainty", stages.estimate_sigma, 0.05),
        Stage("stitch", stages.stitch, 0.05),
        Stage("detail", stages.add_detail, 0.10),
        Stage("report", stages.report, 0.05),
    )
)


class CompletionOptions(TypedDict, total=False):
    """The keyword arguments of `complete`, for functions that hand them on."""

    unit: UnitChoice
    mm_per_unit: float | None
    landmarks: Mapping[str, Any] | None
    model: FaceModel | None
    guidance: GuidanceSource
    detail: DetailChoice
    missing: Any
    doubted: Any
    snap_marks: bool
    seed: int
    settings: CompletionSettings | None
    pipeline: Pipeline
    progress: Progress | None


def complete(
    scan: Any,
    *,
    unit: UnitChoice = "auto",
    mm_per_unit: float | None = None,
    landmarks: Mapping[str, Any] | None = None,
    model: FaceModel | None = None,
    guidance: GuidanceSource = "auto",
    detail: DetailChoice = "none",
    missing: Any = "auto",
    doubted: Any = None,
    snap_marks: bool = True,
    seed: int = 0,
    settings: CompletionSettings | None = None,
    pipeline: Pipeline = COMPLETION,
    progress: Progress | None = None,
) -> Completion:
    """Complete a partial scan of a face.

    Parameters
    ----------
    scan : path, Mesh, or any form that `as_mesh` takes; any pose
    unit : "mm", "cm", "m", "inch", "free", or "auto", which reads it off the scan's size; "free" is for a scan without
        scale, as photogrammetry gives it: its size is found from the face, or from landmarks, to some 6 %
    mm_per_unit : length of the scan's unit, in place of `unit`
    landmarks : name -> (3,) point in the scan's own frame and unit; none are needed, any subset helps
    model : any FaceModel; the shipped one unless given
    guidance : "auto", "none", "shipped", `PipelineSettings` or `GuidanceSettings`: whether inpainted images of the scan
        guide the fit; "auto" means none, which the measurements of docs/guidance.md find best
    detail : "own" makes skin relief for the hole from this person's own skin, where the scan carries any; "synthetic"
        falls back to a generic skin
    missing : what of the scan is not the person's face, and is left out of it: the bed of a wound, a remnant to be
        covered, a membrane over a hole, a dressing. "auto" looks for such places, "none" believes all of the scan.
        Else marks: (N, 3) painted points, a mask (V,) of the scan's vertices, a painted mesh, `Marks`, the path of a
        mesh, cloud or JSON, an image in the scan's texture coordinates, "attribute:NAME" of the scan's vertices,
        "color:RRGGBB" painted on them, the name of a region such as "nose", or a list of such
    doubted : marks on skin that is kept and not believed, such as swelling or a scar, in any of these forms
    snap_marks : whether borders of marks move by some mm to creases and steps of depth or colour
    seed : of every random step
    settings : CompletionSettings
    pipeline : the stages, `COMPLETION` or a changed one
    progress : called as each stage begins

    Returns
    -------
    Completion

    Raises
    ------
    ScanError
        When there is no usable surface or the unit is not clear.
    ValueError
        For an unknown word in `unit`, `guidance` or `detail`, for `mm_per_unit` beside a unit, for unknown landmarks,
        and for landmarks that do not belong to the scan: of another unit, RAS for LPS, or with the sides swapped.
    AlignmentError, FitError
        When the scan shows no face, or too little of one; with the figures.
    """
    check_unit(unit, mm_per_unit)
    if detail not in get_args(DetailChoice):
        raise ValueError(f"detail must be one of {', '.join(get_args(DetailChoice))}, got {detail!r}")
    check_source(guidance)
    state = CompletionState(
        source=scan,
        unit=unit,
        mm_per_unit=mm_per_unit,
        landmarks=checked_landmarks(landmarks),
        model=model,
        guidance_source=guidance,
        detail_choice=detail,
        missing=missing,
        doubted=doubted,
        snap_marks=snap_marks,
        seed=seed,
        settings=settings or CompletionSettings(),
    )
    if detail == "none" and "detail" in pipeline.names:
        pipeline = pipeline.without("detail")
    return finish(pipeline.run(state, progress=progress))


def finish(state: CompletionState) -> Completion:
    """The completion of a state that went through all stages, the seconds of each in its report."""
    timed = replace(known(state.report, "report"), seconds=dict(state.seconds))
    return Completion.from_state(replace(state, report=timed))
