"""The summary of an ablation says what helps on its scan and what does not."""

from dataclasses import replace

import numpy as np

from facecom.report.ablation_variants import GUIDANCE, SYMMETRY
from facecom.report.formatting import mm
from facecom.report.summary import MIN_RELATIVE_DIFFERENCE, summarise, summary_html


def with_errors(ablation, full_mm, modes_mm):
    full, modes, *others = ablation.results
    changed = replace(full, held_out_mm=full_mm), replace(modes, held_out_mm=modes_mm)
    return replace(ablation, results=(*changed, *others))


def test_the_values_are_those_of_the_scan(ablation):
    full, modes, *_ = ablation.results
    structure, symmetry, residual, relief = summarise(ablation)
    assert mm(modes.held_out_mm) in structure and mm(full.held_out_mm) in structure
    assert mm(modes.change_mm["all"]) in structure
    assert mm(full.to_scan_mm["all"]) in residual and mm(full.rim_step_mm) in residual
    assert "not synthesised" in relief
    assert "made-up part" in symmetry


def test_a_stage_that_does_not_help_is_said(ablation):
    assert "does not help" not in summarise(with_errors(ablation, 0.5, 0.6))[0]
    assert "does not help" in summarise(with_errors(ablation, 0.6, 0.5))[0]
    assert "does not help" in summarise(with_errors(ablation, 0.5, 0.5 * (1 + 0.9 * MIN_RELATIVE_DIFFERENCE)))[0]


def test_without_a_held_out_region_nothing_is_called_better(ablation):
    structure = summarise(with_errors(ablation, np.nan, np.nan))[0]
    assert "no observed region was wide enough" in structure and "does not help" not in structure


def test_guidance_has_a_sentence_where_it_was_left_out(ablation):
    guidance = replace(ablation.results[1], variant=GUIDANCE)
    sentences = summarise(replace(ablation, results=(*ablation.results, guidance)))
    assert len(sentences) == 5
    assert "Inpainted images" in sentences[2] and mm(guidance.held_out_mm) in sentences[2]


def test_a_failure_is_said(ablation):
    failed = [replace(r, problem="too little") if r.variant.name == SYMMETRY else r for r in ablation.results]
    assert "fails (too little)" in summarise(replace(ablation, results=tuple(failed)))[1]


def test_as_html_each_sentence_is_a_paragraph(ablation):
    title, *paragraphs = summary_html(ablation)
    assert title.startswith("<h2>")
    assert len(paragraphs) == len(summarise(ablation))
    assert all(text.startswith("<p>") for text in paragraphs)
