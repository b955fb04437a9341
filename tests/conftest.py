"""Fixtures and settings that all tests share; arrays are read-only, so a function that changes its input fails."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from facecom.geometry.mesh import Mesh

if TYPE_CHECKING:
    from facecom.model.linear.generator import LinearGenerator

# The same examples on each run, and no clock: a busy machine must not fail a property.
settings.register_profile("facecom", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("facecom")


@pytest.fixture(scope="session")
def icosphere() -> Callable[..., Mesh]:
    """Factory of closed spheres: `icosphere(levels, radius=...)`."""
    import trimesh

    def make(levels: int, *, radius: float = 1.0) -> Mesh:
        ball = trimesh.creation.icosphere(levels, radius)
        return Mesh(ball.vertices, ball.faces)

    return make


@pytest.fixture(scope="session")
def sheet() -> Callable[..., Mesh]:
    """Factory of open flat sheets in the plane z = 0, jittered inside when a seed is given."""

    def make(rows: int, columns: int, *, seed: int | None = None) -> Mesh:
        y, x = np.mgrid[: rows + 1, : columns + 1].astype(float)
        inside = (x > 0) & (x < columns) & (y > 0) & (y < rows)
        if seed is not None:
            shift = np.random.default_rng(seed).uniform(-0.3, 0.3, (2, *x.shape)) * inside
            x, y = x + shift[0], y + shift[1]
        index = np.arange(x.size).reshape(x.shape)
        a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
        faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        return Mesh(np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1), faces)

    return make


@pytest.fixture(scope="session")
def leading_model() -> Callable[[int, int], "LinearGenerator"]:
    """Factory of the shipped model's leading modes and fields, `leading_model(modes, fields)`: quick to fit."""
    from facecom.model.linear.generator import LinearGenerator

    def make(modes: int, fields: int) -> LinearGenerator:
        whole = LinearGenerator.load()
        return replace(
            whole,
            modes=whole.modes[:modes],
            mode_odd=whole.mode_odd[:modes],
            fields=whole.fields[:fields],
            field_odd=whole.field_odd[:fields],
        )

    return make


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; tests of pages are skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here; apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def bump(sheet) -> Mesh:
    """A face-sized bowl with a nose to the front."""
    flat = sheet(40, 40)
    x, y = (flat.vertices[:, :2] * 4 - 80).T
    return flat.with_vertices(np.stack([x, y, -0.01 * (x**2 + y**2) + 25 * np.exp(-(x**2 + y**2) / 200)], 1))
