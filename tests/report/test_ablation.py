"""Ablation: fit and projection of one scan with each stage left out."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.report import ablation as stages
from facecom.report.ablation import ablate
from facecom.report.ablation_variants import (
    ABLATION_VARIANTS,
    EXTRAPOLATION,
    FULL,
)
from facecom.report.summary import summarise


@pytest.fixture(scope="module")
def found(completion):
    return ablate(completion)


@pytest.mark.slow
def test_the_full_pipeline_repeated_is_the_completion(completion, found):
    full = found.results[0]
    assert full.variant.name == FULL
    away = np.linalg.norm(full.vertices - found.data.face.vertices, axis=1)
    assert np.median(away[found.data.face_mask]) < 0.1
    assert set(full.change_mm.values()) == {0.0}


@pytest.mark.slow
def test_every_stage_is_left_out_and_none_fails(found):
    assert [result.variant for result in found.results] == list(ABLATION_VARIANTS)
    assert not [result.problem for result in found.results if result.problem]
    for result in found.results[1:]:
        assert result.change_mm["all"] > 0, result.variant.name


@pytest.mark.slow
def test_without_a_stage_its_purpose_is_lost(found):
    by_name = {result.variant.name: result for result in found.results}
    full = by_name[FULL]
    assert by_name["projection"].to_scan_mm["all"] > 3 * full.to_scan_mm["all"]
    assert by_name["shape modes"].held_out_mm > 1.3 * full.held_out_mm
    extrapolation = by_name[EXTRAPOLATION]
    assert extrapolation.rim_step_mm > 1.5 * full.rim_step_mm
    assert extrapolation.to_scan_mm["all"] == pytest.approx(full.to_scan_mm["all"], rel=0.05)


def test_the_held_out_region_is_observed_and_not_in_the_scan(data):
    partial, held_out = stages._hold_out(data, 18.0)
    assert held_out.any() and data.observed[held_out].all()
    center, context = stages.held_out_center(data, radius_mm=18.0), data.result.context
    assert len(partial.mm.mesh.faces) < len(context.scan.mm.mesh.faces)
    near = np.linalg.norm(context.fit.pose.apply(partial.mm.mesh.vertices) - center, axis=1)
    assert near.min() > 18.0


@pytest.mark.slow
def test_without_a_wide_observed_region_nothing_is_held_out(data):
    partial, held_out = stages._hold_out(data, 90.0)
    assert partial is None and not held_out.any()


@pytest.mark.slow
def test_without_a_held_out_region_the_rest_is_the_same(completion, found):
    """Half the runs, and the summary says that nothing tells better from worse."""
    quick = ablate(completion, radius_mm=None)
    for one, other in zip(quick.results, found.results, strict=True):
        assert np.array_equal(one.vertices, other.vertices) and np.isnan(one.held_out_mm)
    assert not quick.held_out.any() and quick.held_out_radius_mm == 0
    assert "no observed region" in summarise(quick)[0]


def test_a_radius_must_be_positive(completion):
    with pytest.raises(ValueError, match="positive"):
        ablate(completion, radius_mm=0)


def test_another_kind_of_model_is_refused_with_a_sentence(completion):
    other = replace(completion, state=replace(completion.state, model=ExpressiveGenerator(completion.model)))
    with pytest.raises(ValueError, match="linear models alone"):
        ablate(other, radius_mm=None)
