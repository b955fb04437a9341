"""The whole job: a partial scan in, the whole face out, what of it was observed and how sure the rest is."""

from facecom.completion.context import FitContext
from facecom.completion.holes import Hole
from facecom.completion.pipeline import COMPLETION, CompletionOptions, Pipeline, Progress, Stage, complete, finish
from facecom.completion.result import Completion
from facecom.completion.state import CompletionState, FaceFrameScan, GuidanceRecord, known
from facecom.completion.types import (
    AcceptanceThresholds,
    CompletionSettings,
    Coverage,
    DetailChoice,
    GuidanceSource,
    Report,
    Scan,
)

__all__ = [
    "COMPLETION",
    "AcceptanceThresholds",
    "Completion",
    "CompletionOptions",
    "CompletionSettings",
    "CompletionState",
    "Coverage",
    "DetailChoice",
    "FaceFrameScan",
    "FitContext",
    "GuidanceRecord",
    "GuidanceSource",
    "Hole",
    "Pipeline",
    "Progress",
    "Report",
    "Scan",
    "Stage",
    "complete",
    "finish",
    "known",
]
