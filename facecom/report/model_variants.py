"""The linear model without one of its parts, for the ablation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facecom.fitting.fit import FitSettings
from facecom.model.linear.generator import LinearGenerator
from facecom.model.population import PopulationSettings, size_modes
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL

MIDLINE_BLEND_MM = 6.0
"""Half width of the strip along the midline in which the modes of one side blend into those of the other."""


def size_modes_only(model: LinearGenerator) -> LinearGenerator:
    """The mean face scaled along three axes; the discrepancy fields stay."""
    mean = model.template.vertices[: model.template.counts[SHAPE_LEVEL]]
    usual = model.description.get("settings", {}).get("size_sd", PopulationSettings().size_sd)
    stretch = size_modes(mean, sd=float(usual))
    return replace(model, modes=stretch, mode_odd=np.zeros(len(stretch), bool))


def without_discrepancy(model: LinearGenerator) -> LinearGenerator:
    """The shape modes alone, without the discrepancy fields."""
    return replace(model, fields=model.fields[:0], field_odd=model.field_odd[:0])


def symmetric_modes_only(model: LinearGenerator) -> LinearGenerator:
    """The symmetric modes and fields alone: faces whose sides are mirror images."""
    even_modes, even_fields = ~model.mode_odd, ~model.field_odd
    return replace(
        model,
        modes=model.modes[even_modes],
        mode_odd=model.mode_odd[even_modes],
        fields=model.fields[even_fields],
        field_odd=model.field_odd[even_fields],
    )


def independent_sides(model: LinearGenerator) -> LinearGenerator:
    """Faces with independent sides: each mode and field becomes two, one for each side.

    The squares of the two parts sum to the square of the whole, so that the variance of every vertex stays.
    """
    return replace(
        model,
        modes=_split(model.modes, model.template.vertices[: model.template.counts[SHAPE_LEVEL], 0]),
        mode_odd=np.repeat(model.mode_odd, 2),
        fields=_split(model.fields, model.template.vertices[: model.template.counts[FIT_LEVEL], 0]),
        field_odd=np.repeat(model.field_odd, 2),
    )


def doubled_mode_counts(settings: FitSettings) -> FitSettings:
    """The stages of the fit with twice as many modes, for a model of `independent_sides`."""
    stages = tuple(replace(s, modes=None if s.modes is None else 2 * s.modes) for s in settings.stages)
    return replace(settings, stages=stages)


def _split(rows: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """Rows (K, V, ...) as (2 K, V, ...): the left part of each row, then its right part."""
    angle = np.pi / 4 * (1 + np.clip(x_mm / MIDLINE_BLEND_MM, -1, 1))
    shares = np.stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    shares = shares.reshape(2, -1, *[1] * (rows.ndim - 2))
    return (rows[:, None] * shares).reshape(-1, *rows.shape[1:])
