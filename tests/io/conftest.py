"""What the tests of the file formats share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan


@pytest.fixture
def ball(icosphere) -> Mesh:
    """A sphere of 162 vertices with float32 positions, colours and texture coordinates."""
    mesh = icosphere(2, radius=80.0)
    vertices = mesh.vertices.astype(np.float32)
    levels = np.random.default_rng(0).integers(0, 256, vertices.shape) / 255
    return Mesh(vertices, mesh.faces, uv=np.round(mesh.vertices[:, :2] / 200 + 0.5, 3), colors=levels)


@pytest.fixture
def written(tmp_path) -> Callable[[str, bytes | str], Path]:
    """Write a file, `written(name, data)`; its path."""

    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@pytest.fixture
def refused(written) -> Callable[[str, bytes | str], str]:
    """Read a file that is no scan, `refused(name, data)`; the one sentence that says so."""

    def read(name: str, data: bytes | str) -> str:
        path = written(name, data)
        with pytest.raises(ScanError) as caught:
            read_scan(path)
        sentence = str(caught.value)
        assert sentence.startswith(str(path))
        assert "\n" not in sentence
        return sentence

    return read
