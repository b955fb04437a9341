"""Shortcuts cross what runs behind the face."""

import numpy as np

from facecom.stitching.boundary_shortcuts import shortcut_runs


def test_shortcuts_span_runs_behind_the_face_and_skip_lone_points() -> None:
    n = 20
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], 1)
    behind = np.zeros(n, bool)
    behind[[4, 9, 10, 11]] = True
    off_face, shortcuts = shortcut_runs(edges, behind, np.zeros(n, bool))
    assert np.flatnonzero(off_face).tolist() == [9, 10, 11]
    assert shortcuts.tolist() == [[8, 12]]
    past_border = np.zeros(n, bool)
    past_border[10] = True
    assert len(shortcut_runs(edges, behind, past_border)[1]) == 0
    assert shortcut_runs(edges, np.arange(n) > 2, np.zeros(n, bool))[0].all()
