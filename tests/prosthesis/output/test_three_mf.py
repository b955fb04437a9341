"""3MF files."""

import io
import zipfile

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.output.three_mf import three_mf_bytes


def test_three_mf_escapes_nothing_away():
    data = three_mf_bytes(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), title="flat")
    assert b"flat" in zipfile.ZipFile(io.BytesIO(data)).read("3D/3dmodel.model")
