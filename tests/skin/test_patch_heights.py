"""Heights of the scan over a fine patch."""

from __future__ import annotations

import numpy as np

from facecom.skin.patch_heights import Heights, smooth_heights


def test_smooth_heights_meet_the_observed_and_drop_short_waves(bowl):
    _, patch = bowl()
    x = patch.mesh.vertices[:, 0]
    observed = np.linalg.norm(patch.mesh.vertices[:, :2], axis=1) > 2.0
    slow, fast = 0.1 + 0.02 * x, 0.05 * np.sin(2 * np.pi * x)
    heights = Heights(np.where(observed, slow + fast, 0.0), observed, np.zeros(len(x), int))
    base_offset = smooth_heights(patch, heights, cutoff_mm=4.5, decay_mm=1e3)
    inner = np.linalg.norm(patch.mesh.vertices[:, :2], axis=1) < 3.0
    assert np.abs(base_offset - slow)[inner].max() < 0.02
