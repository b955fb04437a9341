"""The linear model with one of its parts taken out, to see what that part is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facecom.fitting.fit import FitSettings
from facecom.model.linear.generator import LinearGenerator
from facecom.model.population import PopulationSettings, size_modes
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL

BLEND_MM = 6.0
"""Half the width of the strip along the midline in which one side's own modes give way to the other's."""


def only_size(model: LinearGenerator) -> LinearGenerator:
    """The mean face, longer, wider or deeper; the discrepancy fields stay."""
    mean = model.template.vertices[: model.template.counts[SHAPE_LEVEL]]
    usual = model.description.get("settings", {}).get("size_sd", PopulationSettings().size_sd)
    stretch = size_modes(mean, sd=float(usual))
    return replace(model, modes=stretch, mode_odd=np.zeros(len(stretch), bool))


def without_fields(model: LinearGenerator) -> LinearGenerator:
    """The modes alone."""
    return replace(model, fields=model.fields[:0], field_odd=model.field_odd[:0])


def symmetric(model: LinearGenerator) -> LinearGenerator:
    """Faces whose sides are mirror images."""
    even, same = ~model.mode_odd, ~model.field_odd
    return replace(
        model,
        modes=model.modes[even],
        mode_odd=model.mode_odd[even],
        fields=model.fields[same],
        field_odd=model.field_odd[same],
    )


def sides_apart(model: LinearGenerator) -> LinearGenerator:
    """Faces whose left side says nothing about the right: each mode and field becomes two, one for each side.

    The squares of the two parts sum to the whole, so that every point varies as much as before.
    """
    return replace(
        model,
        modes=_split(model.modes, model.template.vertices[: model.template.counts[SHAPE_LEVEL], 0]),
        mode_odd=np.repeat(model.mode_odd, 2),
        fields=_split(model.fields, model.template.vertices[: model.template.counts[FIT_LEVEL], 0]),
        field_odd=np.repeat(model.field_odd, 2),
    )


def twice_the_modes(settings: FitSettings) -> FitSettings:
    """The same stages of the fit for a model with two entries of the code for each one before."""
    stages = tuple(replace(s, modes=None if s.modes is None else 2 * s.modes) for s in settings.stages)
    return replace(settings, stages=stages)


def _split(rows: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """Rows (K, V, ...) as (2 K, V, ...): the left part of each, then its right part."""
    angle = np.pi / 4 * (1 + np.clip(x_mm / BLEND_MM, -1, 1))
    shares = np.stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    shares = shares.reshape(2, -1, *[1] * (rows.ndim - 2))
    return (rows[:, None] * shares).reshape(-1, *rows.shape[1:])
