"""What a finished completion rests on: the state after the last stage, where nothing is missing any more."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from facecom.completion.posterior import FacePosterior
from facecom.completion.state import CompletionState, FaceFrameScan, GuidanceRecord, known
from facecom.completion.types import CompletionSettings, Scan
from facecom.fitting.fit import Fit
from facecom.geometry.mesh import Floats
from facecom.model.protocol import FaceModel
from facecom.model.template import Template
from facecom.projection.project import Projection
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched


@dataclass(frozen=True, eq=False)
class FitContext:
    """The findings of a job whose stages have all run; in the face frame, mm, unless said otherwise."""

    state: CompletionState

    @property
    def settings(self) -> CompletionSettings:
        """The settings of the job."""
        return self.state.settings

    @property
    def model(self) -> FaceModel:
        """The face model."""
        return known(self.state.model, "load model")

    @property
    def template(self) -> Template:
        """The template of the model."""
        return self.state.template

    @property
    def scan(self) -> Scan:
        """The cleaned scan, in its own frame."""
        return known(self.state.scan, "clean")

    @property
    def in_face(self) -> FaceFrameScan:
        """The scan in the face frame."""
        return known(self.state.in_face, "enter face frame")

    @property
    def fit(self) -> Fit:
        """Pose and code."""
        return known(self.state.fit, "fit")

    @property
    def guidance(self) -> GuidanceRecord | None:
        """What inpainted images told the fit, where any did."""
        return self.state.guidance

    @property
    def projection(self) -> Projection:
        """The face on the scan."""
        return known(self.state.projection, "project")

    @property
    def sigma_mm(self) -> Floats:
        """Standard deviation of each vertex along its normal, (V,)."""
        return known(self.state.sigma_mm, "uncertainty")

    @property
    def stitched(self) -> Stitched:
        """The scan with the missing part filled in."""
        return known(self.state.stitched, "stitch")

    @property
    def detail(self) -> Detail | None:
        """Skin relief, where it was made."""
        return self.state.detail

    @functools.cached_property
    def posterior(self) -> FacePosterior:
        """How freely each vertex may move, and where it goes for another code."""
        return FacePosterior(self.state)

    @property
    def mobility(self) -> Floats:
        """How freely each vertex of the face may move, (V,): 0 where observed, 1 deep in a hole."""
        return self.posterior.mobility
