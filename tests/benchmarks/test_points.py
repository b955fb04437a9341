"""The clouds have the spacing asked for, and a table says what a run gave."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree


@pytest.fixture(scope="module")
def points(script):
    return script("points")


@pytest.fixture(scope="module")
def ball(icosphere):
    made = icosphere(3)
    return made.with_vertices(40 * made.vertices)


def nearest(found):
    return cKDTree(found).query(found, k=2)[0][:, 1]


def test_even_points_keep_apart_and_leave_no_gap(points, ball):
    found = points.even_points(ball, 5.0, 1)
    assert nearest(found).min() >= 4.0
    assert cKDTree(found).query(ball.vertices)[0].max() < 5.0


def test_points_by_chance_are_as_many_as_a_grid_has_and_lie_closer_now_and_then(points, ball):
    found = points.chance_points(ball, 5.0, 1)
    assert len(found) == pytest.approx(4 * np.pi * 40**2 / (0.87 * 25), rel=0.02)
    assert nearest(found).min() < 2.0


def test_a_log_is_not_run_again(points, ball, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(points, "case_of", lambda folder: (ball, ball.vertices))
    monkeypatch.setattr(
        points, "measured", lambda p, _: ran.append(len(p)) or {"points": 9, "spacing": 5.5, "missing": None}
    )
    log = tmp_path / "log.jsonl"
    options = points.argparse.Namespace(log=log, folder=tmp_path, cases=["a"], spacings=[9.0], seed=0)
    first, second = list(points.rows(options)), list(points.rows(options))
    assert len(ran) == 3 and first == second
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 3
    lines = list(points.table(first))
    assert lines[1] == "| a | 9 | even, 9 mm | 5.5 | refused |"
    assert lines[3] == "| a | 9 | own vertices | 5.5 | refused |"
