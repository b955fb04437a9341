"""Quilted relief follows its target."""

from __future__ import annotations

import numpy as np

from facecom.skin.band_filters import local_direction
from facecom.skin.quilting import QuiltSettings, QuiltTarget, quilt


def test_patches_are_rotated_to_the_target_direction(grid, height_patches_of, striped):
    height_patches = height_patches_of(*striped(0.0))
    plane, _ = grid(5.0, 0.15)
    for angle in (0.0, 35.0):
        double = 2 * np.radians(angle)
        target = QuiltTarget(
            points=plane,
            normals=np.tile([0.0, 0, 1], (len(plane), 1)),
            observed=np.zeros(len(plane), bool),
            relief=np.zeros(len(plane)),
            depth=5.0 - np.linalg.norm(plane[:, :2], axis=1),
            log_power=np.tile(height_patches.log_power.mean((0, 2, 3)), (len(plane), 1)).astype(float),
            direction=np.tile([np.cos(double), np.sin(double)], (len(plane), 1)),
        )
        laid = quilt(target, height_patches, settings=QuiltSettings(), seed=0).bands.sum(1)
        side = int(round(np.sqrt(len(plane))))
        image = laid.reshape(1, side, side).astype(np.float32)
        got = local_direction(image, np.ones_like(image), pixel_mm=0.15, window_mm=2.5)[0, :, side // 2, side // 2]
        assert got @ [np.cos(double), np.sin(double)] > 0.9 * np.linalg.norm(got) > 0.3
