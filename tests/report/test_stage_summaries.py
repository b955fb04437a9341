"""The stages of a completion as the page tells them."""

import re

import pytest

from facecom.report.display_data import DisplayData
from facecom.report.formatting import mm
from facecom.report.stage_summaries import stage_summaries


@pytest.fixture(scope="module")
def stages(data):
    return {stage.title: stage for stage in stage_summaries(data)}


def test_the_stages_come_in_the_order_of_the_pipeline(stages):
    assert list(stages) == [
        "Alignment", "Fit of the face model", "Discrepancy and symmetry", "Projection onto the scan", "Uncertainty",
        "Stitching", "Image guidance", "Skin detail",
    ]  # fmt: skip


def test_each_stage_says_all_and_only_the_optional_ones_may_be_unused(stages):
    for stage in stages.values():
        assert all((stage.inputs, stage.method, stage.outputs, stage.contribution))
        assert stage.used == (stage.title not in ("Image guidance", "Skin detail"))
        assert bool(stage.pictures) == stage.used


def test_the_texts_say_observed_and_made_up(stages):
    for stage in stages.values():
        captions = [picture.caption for picture in stage.pictures]
        text = " ".join((stage.inputs, stage.method, stage.outputs, stage.contribution, *stage.values, *captions))
        assert not re.search(r"\b(seen|unseen|measured part|made part|carried)\b", text), stage.title


def test_values_are_those_of_the_completion(stages, data):
    rms = data.area_rms(data.result.context.projection.offset, data.observed)
    assert stages["Projection onto the scan"].values["offset, observed part"] == mm(rms)
    kept = stages["Stitching"].values["triangles of the scan kept"]
    assert int(kept.replace(",", "")) == len(data.result.scan.faces)
    shares = [stages["Discrepancy and symmetry"].values[f"made-up part {name}"] for name in (
        "whose mirror side was observed", "observed on neither side",
    )]  # fmt: skip
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=1)


def test_guidance_is_told_where_it_was_used(guided):
    stage = {stage.title: stage for stage in stage_summaries(DisplayData(guided))}["Image guidance"]
    assert stage.used and stage.pictures
    assert stage.values["displacement of the fitted face, skin"] == "1.00 mm"
    assert "inpainted pixels that the fit observed" in stage.values
