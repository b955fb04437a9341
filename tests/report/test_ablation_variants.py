"""Variants of the ablation."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
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
    """Without them the face is the one before them; with a place hidden they are taken anew, once."""
    assert ablation_variants(completion) == ABLATION_VARIANTS
    assert ablation_variants(guided) == (*ABLATION_VARIANTS, GUIDANCE)
    runs, own, asked = AblationRunner(DisplayData(guided)), guided.evidence, []
    with_them, without = (runs.run(own.scan, name)[0] for name in (FULL, GUIDANCE.name))
    middle = own.pictures.found.observations.corners[:, 0]
    away = np.linalg.norm(with_them - without, axis=1)
    assert away[middle].mean() > 1.0
    seen = Surface(runs.data.scan).closest(with_them[guided.provenance == 0])
    assert np.median(seen.distance) < 0.02

    def taken(scan, model, before, source, settings):
        asked.append((scan, source))
        return own.pictures.found, ()

    monkeypatch.setattr("facecom.report.ablation_variants.render_guidance", taken)
    covered = stages._without_ball(own, stages.held_out_center(DisplayData(guided), radius_mm=18.0), 18.0)
    hidden = [runs.run(covered, name)[0] for name in (FULL, "projection", GUIDANCE.name)]
    assert asked == [(covered, "shipped")]
    assert np.linalg.norm(hidden[0] - hidden[2], axis=1)[middle].mean() > 1.0
