"""Regions vote, and a leak between them is closed."""

import numpy as np
import pytest

from facecom.geometry.mesh import boundary_edges
from facecom.stitching.missing_regions import label_missing


@pytest.mark.parametrize("leak", [False, True])
def test_a_leak_in_the_rim_is_closed_by_the_shortest_cut(leak: bool, sheet) -> None:
    points, faces = sheet(30, 30).vertices, sheet(30, 30).faces
    on_face = np.hypot(points[:, 0] - 15, points[:, 1] - 15) < 7
    hole = on_face[faces].any(1)
    ring = boundary_edges(faces[~hole])
    ring = ring[((points[ring] > 0.5) & (points[ring] < 29.5))[..., :2].all((1, 2))]
    kept = ring[1:] if leak else ring
    keys = faces * len(points) + np.roll(faces, -1, axis=1)
    scan_side = np.isin(keys, kept[:, 0] * len(points) + kept[:, 1]).any(1)
    far_side = np.isin(keys, kept[:, 1] * len(points) + kept[:, 0]).any(1)
    side = far_side.astype(int) - scan_side
    missing_score = np.where(np.isin(np.arange(len(points)), ring), np.nan, on_face)
    label = label_missing(faces, side, kept, missing_score=missing_score, positions=points)
    assert np.array_equal(label, hole)
