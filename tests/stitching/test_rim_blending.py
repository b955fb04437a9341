"""Offsets leave the rim level and fade."""

import numpy as np

from facecom.stitching.rim_blending import blended_offsets


def test_blended_offsets_keep_the_rim_start_level_and_fade(sheet) -> None:
    points, faces = sheet(40, 40).vertices, sheet(40, 40).faces
    constrained = points[:, 0] == 0
    offsets = np.where(constrained[:, None], [0.0, 0.0, 0.5], 0.0)
    out = blended_offsets(points, faces, constrained=constrained, offsets=offsets, falloff_mm=4.0)
    row = out[points[:, 1] == 20][:, 2]
    assert np.array_equal(out[constrained], offsets[constrained])
    assert abs(row[1] - row[0]) < 0.05
    assert abs(row[30]) < 0.02
    assert np.abs(out[:, :2]).max() < 1e-9
