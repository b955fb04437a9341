"""Damaged files of every format: a mesh or one sentence, in bounded time, whatever the bytes are."""

import base64
import importlib.util
import io
import json
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io import usd
from facecom.io.files import READABLE, read_scan
from facecom.io.writers import glb_bytes, obj_bytes, off_bytes, ply_bytes, stl_bytes

spec = importlib.util.spec_from_file_location("e57_writer", Path(__file__).with_name("e57_writer.py"))
e57_writer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e57_writer)

MOST_SECONDS = 5.0
IN_PROCESS = [extension for extension in READABLE if extension not in usd.SUFFIXES]
"""USD is read by a process of its own, which takes a second for each file and needs an extra."""
SQUARE = Mesh(
    [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], [[0, 1, 2], [0, 2, 3]],
    uv=[[0, 0], [1, 0], [1, 1], [0, 1]], colors=[[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]],
)  # fmt: skip
PLY_TEXT = (
    "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
)
STL_TEXT = (
    "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid\n"
)
PCD_HEAD = (
    "VERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 2\nHEIGHT 1\n"
    "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA "
)
PCD_BODY = np.arange(8, dtype="<f4").tobytes()
PACKED = bytes([len(PCD_BODY) - 1]) + PCD_BODY
CLOUD = b"x,y,z,r,g,b\n1.5,2,3,10,20,30\n4,5,6,70,80,90\n"
VTK_HEAD = b"# vtk DataFile Version 5.1\na\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\n"
VTK_CELLS = b"POLYGONS 2 3\nOFFSETS vtktypeint64\n0 3\nCONNECTIVITY vtktypeint64\n0 1 2\n"
VTP = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<VTKFile type="PolyData"><PolyData><Piece NumberOfPoints="3" NumberOfPolys="1"><Points>'
    b'<DataArray type="Float32" format="ascii">0 0 0 1 0 0 0 1 0</DataArray></Points><Polys>'
    b'<DataArray type="Int32" Name="connectivity" format="appended" offset="0"/>'
    b'<DataArray type="Int32" Name="offsets" format="ascii">3</DataArray></Polys></Piece></PolyData>'
    b'<AppendedData encoding="raw">_' + np.array([12, 0, 1, 2], "<i4").tobytes() + b"</AppendedData></VTKFile>"
)
MODEL_3MF = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<model><resources><object id="1"><mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/>'
    b'<vertex x="0" y="1" z="0"/></vertices><triangles><triangle v1="0" v2="1" v3="2"/></triangles></mesh></object>'
    b'<object id="2"><components><component objectid="1"/></components></object></resources>'
    b'<build><item objectid="2" transform="1 0 0 0 1 0 0 0 1 0 0 0"/></build></model>'
)
DAE = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<COLLADA><library_geometries><geometry id="g"><mesh><source id="p"><float_array id="a" count="9">'
    b'0 0 0 1 0 0 0 1 0</float_array><technique_common><accessor source="#a" count="3" stride="3">'
    b'<param name="X"/><param name="Y"/><param name="Z"/></accessor></technique_common></source>'
    b'<source id="t"><float_array id="b" count="6">0 0 1 0 0 1</float_array><technique_common>'
    b'<accessor source="#b" count="3" stride="2"/></technique_common></source><vertices id="v">'
    b'<input semantic="POSITION" source="#p"/></vertices><polylist material="m" count="1">'
    b'<input semantic="VERTEX" source="#v" offset="0"/><input semantic="TEXCOORD" source="#t" offset="1" set="0"/>'
    b"<vcount>3</vcount><p>0 0 1 1 2 2</p></polylist></mesh></geometry></library_geometries><library_visual_scenes>"
    b'<visual_scene id="s"><node><rotate>0 0 1 90</rotate><matrix>1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1</matrix>'
    b'<instance_geometry url="#g"/></node></visual_scene></library_visual_scenes>'
    b'<scene><instance_visual_scene url="#s"/></scene></COLLADA>'
)
E57 = e57_writer.e57_bytes(
    [
        (
            "<pose><rotation><w>1</w><x>0</x></rotation><translation><x>5</x></translation></pose>",
            {
                "cartesianX": ('type="Float" precision="single"', np.arange(3, dtype="<f4").tobytes()),
                "cartesianY": ('type="Float"', np.arange(3, dtype="<f8").tobytes()),
                "cartesianZ": ('type="ScaledInteger" minimum="-5" maximum="900" scale="0.1"', bytes([1, 2, 3, 4])),
                "colorRed": ('type="Integer" minimum="0" maximum="255"', bytes(3)),
                "colorGreen": ('type="Integer" minimum="0" maximum="255"', bytes(3)),
                "colorBlue": ('type="Integer" minimum="7" maximum="7"', b""),
            },
            3,
        )
    ]
)


GLTF = {
    "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
    "nodes": [{"children": [1], "scale": [2, 2, 2]}, {"mesh": 0}],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
    "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    "textures": [{"source": 0}], "images": [{"bufferView": 1, "mimeType": "image/png"}],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": 0, "byteOffset": 36, "componentType": 5125, "count": 3, "type": "SCALAR"},
    ],
    "bufferViews": [{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 20}],
    "buffers": [{"byteLength": 68, "uri": "data:application/octet-stream;base64," + base64.b64encode(
        np.eye(3, dtype="<f4").tobytes() + np.arange(3, dtype="<u4").tobytes() + bytes(20)).decode()}],
}  # fmt: skip


def archive(text: bytes, method: int) -> bytes:
    """A 3MF archive of one model."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as packed:
        packed.writestr(zipfile.ZipInfo("3D/3dmodel.model"), text, method)
    return stream.getvalue()


WHOLE = {
    ".ply": [ply_bytes(SQUARE), PLY_TEXT.encode()],
    ".obj": [
        obj_bytes(SQUARE),
        b"mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl a\nf 1/1 2/1 3/1\nf -1//1 -2 -3/-1\n",
    ],
    ".stl": [stl_bytes(SQUARE), STL_TEXT.encode()],
    ".off": [off_bytes(SQUARE), b"COFF\n3 1 0\n0 0 0 1 2 3\n1 0 0 1 2 3\n0 1 0 1 2 3\n3 0 1 2 5\n"],
    ".vtk": [VTK_HEAD + b"POLYGONS 1 4\n3 0 1 2\n", VTK_HEAD + VTK_CELLS],
    ".vtp": [VTP],
    ".dae": [DAE],
    ".e57": [E57],
    ".3mf": [archive(MODEL_3MF, zipfile.ZIP_STORED), archive(MODEL_3MF, zipfile.ZIP_DEFLATED)],
    ".glb": [glb_bytes(SQUARE)],
    ".gltf": [json.dumps(GLTF).encode()],
    ".pcd": [
        (PCD_HEAD + "ascii\n1 2 3 0\n4 5 6 0\n").encode(),
        (PCD_HEAD + "binary\n").encode() + PCD_BODY,
        (PCD_HEAD + "binary_compressed\n").encode() + bytes([len(PACKED), 0, 0, 0, 32, 0, 0, 0]) + PACKED,
    ],
}  # fmt: skip
TOKENS = [
    b"-1", b"0", b"999999999999999999999", b"1e400", b"nan(ind)", b"inf", b"\n", b"\0", b" ", b",", b";", b"#", b"[",
    b"{", b"\xff\xff\xff\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"list", b"uint", b"double", b"f 1 2", b"v",
    b"/", b"<UDIM>",
]  # fmt: skip


def damaged(data: bytes, seed: int, edits: int) -> bytes:
    """A file with a few bytes changed, put in, taken out or doubled."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(edits):
        at, length = rng.randrange(len(out) + 1), rng.choice([0, 1, 1, 2, 4, 30])
        piece = rng.choice([rng.choice(TOKENS), rng.choice(TOKENS), rng.randbytes(4), bytes(out[at : at + 40]) * 3])
        out[at : at + length] = piece
    return bytes(out)


def damaged_file(extension: str, data: bytes, seed: int, edits: int) -> bytes:
    """The same; pages of E57 mostly get the checksums of their damage, as else nothing behind them would be read."""
    if extension != ".e57" or seed % 4 == 0:
        return damaged(data, seed, edits)
    return e57_writer.sealed(damaged(e57_writer.opened(data), seed, edits))


@pytest.mark.parametrize("extension", WHOLE)
def test_the_files_are_read_before_they_are_damaged(tmp_path, extension):
    for whole in WHOLE[extension]:
        (tmp_path / f"a{extension}").write_bytes(whole)
        assert len(read_scan(tmp_path / f"a{extension}").vertices) >= 2


def read_within_bounds(path, data: bytes) -> None:
    path.write_bytes(data)
    begin = time.process_time()
    try:
        assert len(read_scan(path).vertices)
    except ScanError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert time.process_time() - begin < MOST_SECONDS


@pytest.mark.parametrize("extension", IN_PROCESS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.integers(0, 9), seed=st.integers(0, 10**9), edits=st.integers(0, 6))
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, extension, choice, seed, edits):
    wholes = WHOLE.get(extension, [CLOUD])
    read_within_bounds(tmp_path / f"a{extension}", damaged_file(extension, wholes[choice % len(wholes)], seed, edits))


@pytest.mark.parametrize("extension", IN_PROCESS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_one_sentence(tmp_path, extension, data):
    read_within_bounds(tmp_path / f"a{extension}", data)


@pytest.mark.parametrize("extension", IN_PROCESS)
@pytest.mark.parametrize("filler", [b"\n", b" ", b"[", b"1 ", b"f 1 2 3\n", b"v 0 0 0\n", b"#", b"nan(", b",", b"0\n"])
def test_half_a_megabyte_of_one_thing_costs_no_more_than_its_length(tmp_path, extension, filler):
    whole = WHOLE.get(extension, [CLOUD])[-1]
    read_within_bounds(tmp_path / f"a{extension}", whole + filler * (500_000 // len(filler)))
