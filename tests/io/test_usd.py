"""USD scenes through USD's own library, in a process of its own; without it, the extra is named."""

import os
import signal
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from facecom.errors import MissingDependency
from facecom.io import usd
from facecom.io.conversion import mesh_and_warnings
from facecom.io.files import read_scan, read_scan_file

needs_usd = pytest.mark.skipif(find_spec("pxr") is None, reason="usd-core, of the extra formats, is not installed")

SCENE = """#usda 1.0
(
    metersPerUnit = 0.01
    upAxis = "Z"
)
def Xform "root"
{
    double3 xformOp:translate = (10, 20, 30)
    double xformOp:rotateX = 90
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:rotateX"]
    def Mesh "face" (prepend apiSchemas = ["MaterialBindingAPI"])
    {
        point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (5, 5, 5)]
        int[] faceVertexCounts = [4, 3]
        int[] faceVertexIndices = [0, 1, 2, 3, 0, 1, 4]
        texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (0, 0)] (
            interpolation = "faceVarying"
        )
        rel material:binding = </root/skin>
    }
    def Material "skin"
    {
        token outputs:surface.connect = </root/skin/surface.outputs:surface>
        def Shader "surface"
        {
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor.connect = </root/skin/image.outputs:rgb>
            token outputs:surface
        }
        def Shader "image"
        {
            uniform token info:id = "UsdUVTexture"
            asset inputs:file = @./skin.png@
            float3 outputs:rgb
        }
    }
    def Mesh "hidden"
    {
        token visibility = "invisible"
        point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0)]
        int[] faceVertexCounts = [3]
        int[] faceVertexIndices = [0, 1, 2]
    }
}
"""
CLOUD = """#usda 1.0
def Points "cloud"
{
    point3f[] points = [(0, 0, 0), (1, 2, 3)]
    color3f[] primvars:displayColor = [(1, 0, 0), (0, 0, 1)] (interpolation = "vertex")
}
"""
PLACES = [[10, 20, 30], [11, 20, 30], [11, 20, 31], [10, 20, 31], [15, 15, 35]]


@pytest.fixture
def skin(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = (255, 0, 0)  # v > 0.5
    Image.fromarray(pixels).save(tmp_path / "skin.png")
    return tmp_path / "skin.png"


def test_without_the_library_the_extra_is_named(written, monkeypatch):
    monkeypatch.setattr(usd, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingDependency, match=r"pip install 'facecom\[formats\]'"):
        read_scan(written("a.usdz", b"PK"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"import os, signal; os.kill(os.getpid(), {signal.SIGSEGV:d})", "signal 11"),
        ("import sys; sys.exit(7)", "status 7"),
        ("import time; time.sleep(60)", "took longer"),
    ],
)
def test_a_library_that_dies_or_hangs_is_one_sentence(refused, monkeypatch, code, said):
    real = subprocess.run
    monkeypatch.setattr(usd, "find_spec", lambda name: True)
    monkeypatch.setattr(usd, "SECONDS_BEYOND", 0.5 - usd.MAX_SECONDS if "sleep" in code else 240.0)
    monkeypatch.setattr(usd.subprocess, "run", lambda command, **options: real([command[0], "-c", code], **options))
    assert said in refused("a.usda", SCENE)


def test_the_library_is_never_loaded_beside_anything_else():
    code = "import sys, facecom.io.files, facecom.io.usd; sys.exit('pxr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ)).returncode == 0


@needs_usd
def test_visible_meshes_come_in_their_places_with_their_image(written, skin):
    mesh, said = mesh_and_warnings(written("a.usda", SCENE))
    assert said == ()
    np.testing.assert_allclose(mesh.vertices, PLACES, atol=1e-12)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    assert mesh.colors[:4, 0].tolist() == [0, 0, 1, 1]


@needs_usd
def test_a_package_holds_its_images(written, tmp_path, skin):
    with zipfile.ZipFile(tmp_path / "a.usdz", "w", zipfile.ZIP_STORED) as package:
        for name, data in (("scene.usda", SCENE.encode()), ("skin.png", skin.read_bytes())):
            entry = zipfile.ZipInfo(name)
            entry.extra = bytes(-(package.fp.tell() + 30 + len(name)) % 64) or b""
            if 0 < len(entry.extra) < 4:
                entry.extra += bytes(64)
            if entry.extra:  # what fills up to 64 bytes is a field of its own
                entry.extra = b"\x86\x19" + (len(entry.extra) - 4).to_bytes(2, "little") + bytes(len(entry.extra) - 4)
            package.writestr(entry, data)
    skin.unlink()
    mesh, said = mesh_and_warnings(tmp_path / "a.usdz")
    assert said == ()
    assert mesh.colors[:4, 0].tolist() == [0, 0, 1, 1]


@needs_usd
def test_points_keep_their_colours(written):
    found = read_scan(written("a.usda", CLOUD))
    assert found.vertices.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert found.colors.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert len(found.faces) == 0


@needs_usd
def test_left_handed_triangles_are_turned(written):
    text = SCENE.replace(
        "int[] faceVertexCounts = [4", 'uniform token orientation = "leftHanded"\nint[] faceVertexCounts = [4'
    )
    assert read_scan_file(written("a.usda", text)).mesh.faces.tolist() == [[2, 1, 0], [3, 2, 0], [4, 1, 0]]


@needs_usd
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[4, 3]", "[4, 4]", "corners"),
        ("[0, 1, 2, 3, 0, 1, 4]", "[0, 1, 2, 3, 0, 1, 5]", "not there"),
        ("def Mesh", "def Xform", "no mesh"),
        ("#usda 1.0", "#usda 9.9", "USD"),
        ('def Xform "root"', 'def Xform "root" (references = @../elsewhere.usda@</root>)', "outside its folder"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, refused, before, after, said):
    (tmp_path.parent / "elsewhere.usda").write_text(SCENE)
    assert said in refused("a.usda", SCENE.replace(before, after))


@needs_usd
def test_what_is_no_scene_is_one_sentence(refused):
    for extension in usd.SUFFIXES:
        refused(f"a{extension}", b"Dear all,\nplease find the scan attached.\n")
