"""What is left out has no say in the choice."""

import numpy as np
import pytest
from scipy.stats import norm

from facecom.completion import CompletionSettings
from facecom.model.linear.generator import LinearGenerator


@pytest.fixture(scope="module")
def loho(script):
    return script("leave_one_head_out")


def test_a_head_has_no_say_in_what_is_chosen_for_it(loho):
    scores = {"wide": {"a": 1.0, "b": 1.0, "c": 1.0}, "narrow": {"a": 0.0, "b": 1.2, "c": 1.2}}
    assert loho.best_without(scores, "a") == "wide"
    assert loho.best_without(scores, "b") == "narrow"


def test_heads_count_alike_however_many_cases_they_have(loho):
    rows = [{"head": "a", "choice": "x", "missing": v} for v in (1.0, 3.0)]
    rows += [{"head": "b", "choice": "x", "missing": 5.0}]
    assert loho.by_head(rows, "x") == {"a": 2.0, "b": 5.0}


def test_the_scale_found_is_the_one_that_made_the_errors(loho):
    """Sigma was stated for the scale 0.75 and is half of what it should be."""
    rng = np.random.default_rng(0)
    sigma = np.hypot(rng.uniform(0.5, 2, 20_000), 0.1)
    errors = np.abs(rng.normal(size=len(sigma))) * np.hypot(2 * np.sqrt(sigma**2 - 0.01), 0.1)
    assert loho.best_scale([[(errors, sigma)]], 0.75, 0.1) == pytest.approx(1.5)
    found = loho.bands([(errors, sigma)], 2.0, 0.1)
    assert found == pytest.approx([0.5, 0.9], abs=0.015)
    assert loho.bands([(errors, sigma)], 1.0, 0.1)[1] == pytest.approx(2 * norm.cdf(norm.ppf(0.95) / 2) - 1, abs=0.02)


def test_a_choice_changes_what_it_names_and_nothing_else(loho):
    model, settings = LinearGenerator.load(), CompletionSettings()
    for choice in loho.CHOICES:
        own, changed = choice.model(model), choice.settings(settings)
        assert (own is model) == (choice.modes == choice.fields == choice.used_modes == 1.0)
        stages = changed.fit.stages
        assert stages[:-2] == settings.fit.stages[:-2]
        assert stages[-1].noise_mm == pytest.approx(settings.fit.stages[-1].noise_mm * choice.noise)
        assert stages[-1].robust_mm == pytest.approx(settings.fit.stages[-1].robust_mm * choice.robust)
    assert next(c for c in loho.CHOICES if c.name == loho.SHIPPED) == loho.Choice(loho.SHIPPED)
    half = loho.Choice("half", used_modes=0.5).model(model)
    assert half.code_size == model.code_size - model.identity_size + round(model.identity_size / 2)
    wide = loho.Choice("wide", fields=1.5).model(model)
    assert np.allclose(wide.fields, 1.5 * model.fields) and np.array_equal(wide.modes, model.modes)
