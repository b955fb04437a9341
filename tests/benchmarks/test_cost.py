"""Exponents are those of known laws, and the verdict follows from them."""

import argparse
import json

import numpy as np
import pytest

SIZES = [25_000, 100_000, 400_000, 1_000_000, 2_500_000]


@pytest.fixture(scope="module")
def cost(script):
    return script("cost")


def rows(law):
    return [
        {
            "asked": n,
            "vertices": n,
            "processor": 2 * law(n),
            "memory": n / 1e6,
            "stages": {"align": 1.0, "join": law(n)},
        }
        for n in SIZES
    ]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found_from_the_large_sizes_alone(cost, power):
    seconds = [3.0 * n**power for n in SIZES]
    assert cost.exponent(SIZES, seconds) == pytest.approx(power)
    assert cost.exponent(SIZES, [1e9, *seconds[1:]]) == pytest.approx(power)
    assert np.isnan(cost.exponent(SIZES[:2], seconds[:2]))


def test_the_verdict_tells_n_log_n_from_more(cost):
    linear = list(cost.lines(rows(lambda n: n * 1e-5)))
    square = list(cost.lines(rows(lambda n: n**1.3 * 1e-5)))
    late = list(cost.lines(rows(lambda n: n * 1e-5 if n < 2e6 else 80.0)))
    assert "no faster than n log n" in linear[-1]
    assert "grow faster than n log n" in square[-1]
    assert "grow faster than n log n" in late[-1], "a jump at the end that the fit over all sizes hides"
    assert "there is no exponent" in list(cost.lines(rows(lambda n: n)[:2]))[-1]
    assert any(line.startswith("| join, s | 0.25 | 1.00 |") and line.endswith("| 1.00 | 1.00 |") for line in linear)


def test_the_whole_is_the_sum_of_the_stages(cost):
    found = cost.series(rows(lambda n: n * 1e-5))
    assert found["all stages"] == pytest.approx([1.0 + n * 1e-5 for n in SIZES])


def test_a_size_in_the_log_is_not_run_again(cost, tmp_path, monkeypatch):
    known = rows(lambda n: n * 1e-5)
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(known[0]) + "\n")
    ran = []
    monkeypatch.setattr(cost, "run_size", lambda _, size, __: ran.append(size) or known[1])
    options = argparse.Namespace(log=log, vertices=SIZES[:2], scan=None, scans=None)
    assert cost.rows(options) == cost.rows(options) == known[:2]
    assert ran == SIZES[1:2]


def test_the_plot_is_a_picture(cost):
    pytest.importorskip("matplotlib")
    assert cost.plot(rows(lambda n: n * 1e-5))[:4] == b"\x89PNG"
