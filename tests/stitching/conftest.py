"""Surfaces that the stitching tests share."""

from collections.abc import Callable

import numpy as np
import pytest

from facecom.stitching.caps import cap_loop


@pytest.fixture(scope="session")
def linked_discs() -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Factory of two discs whose borders are linked rings: `linked_discs(seed)` gives points and triangles."""

    def make(seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Two discs of triangles whose borders are linked rings, and the triangles of both."""
        rng = np.random.default_rng(seed)
        turn = 2 * np.pi * np.arange(9) / 9
        ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1) * 3
        rings = [ring, rng.choice([-1, 1]) * ring[:, [0, 2, 1]] + [3, 0, 0]]
        points, triangles = [], []
        for k, loop in enumerate(rings):
            loop = loop + rng.normal(size=loop.shape) * 0.1
            added, faces = cap_loop(loop, fixed=np.zeros((0, 2), int))
            points.append(np.concatenate([loop, added]))
            triangles.append(faces + k * len(points[0]))
        return np.concatenate(points), np.concatenate(triangles)

    return make
