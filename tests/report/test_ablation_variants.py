"""Variants of the ablation."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.provenance import Provenance
from facecom.report import ablation as stages
from facecom.report.ablation_variants import (
    ABLATION_VARIANTS,
    FULL,
    GUIDANCE,
    AblationRunner,
    ablation_variants,
)
from facecom.report.display_data import DisplayData


@pytest.mark.slow
def test_guidance_is_left_out_in_turn_where_there_was_some(completion, guided, monkeypatch):
    """Without it the face is the one before it; with a region held out it is made anew, once."""
    assert ablation_variants(completion) == ABLATION_VARIANTS
    assert ablation_variants(guided) == (*ABLATION_VARIANTS, GUIDANCE)
    runner, context, calls = AblationRunner(DisplayData(guided)), guided.context, []
    guided_face, unguided_face = (runner.run(context.scan, name)[0] for name in (FULL, GUIDANCE.name))
    middle = context.guidance.found.observations.corners[:, 0]
    change = np.linalg.norm(guided_face - unguided_face, axis=1)
    assert change[middle].mean() > 1.0
    closest = Surface(runner.data.scan).closest(guided_face[guided.provenance == Provenance.OBSERVED])
    assert np.median(closest.distance) < 0.02

    def record_call(state):
        calls.append((state.scan, state.guidance_source))
        return context.guidance.found, ()

    monkeypatch.setattr("facecom.completion.stages.render_guidance", record_call)
    partial = stages._without_ball(context, stages.held_out_center(DisplayData(guided), radius_mm=18.0), 18.0)
    predicted = [runner.run(partial, name)[0] for name in (FULL, "projection", GUIDANCE.name)]
    assert calls == [(partial, "shipped")]
    assert np.linalg.norm(predicted[0] - predicted[2], axis=1)[middle].mean() > 1.0
