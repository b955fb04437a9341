"""Archives for download."""

import io
import json
import zipfile

import pytest

from facecom.apps.viewer.session import packing

pytestmark = pytest.mark.usefixtures("nothing_stays")


def told(stages):
    return lambda stage, share: stages.append((stage, share))


@pytest.mark.slow
def test_the_archive_holds_what_the_command_writes(completion):
    data = packing.pack_results(completion, name="a scan", progress=told([]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert set(archive.namelist()) == {"face.ply", "merged.ply", "patch.ply", "report.json", "report.html"}
        assert json.loads(archive.read("report.json"))["unit"] == "mm"
        assert b"a scan" in archive.read("report.html")


def test_a_folder_is_packed_with_its_folders(tmp_path):
    (tmp_path / "part_1").mkdir()
    (tmp_path / "part_1" / "shell.stl").write_bytes(b"solid")
    data = packing.zip_folder(tmp_path, {"more.txt": b"words"})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "part_1/shell.stl": b"solid",
            "more.txt": b"words",
        }
    assert data == packing.zip_folder(tmp_path, {"more.txt": b"words"})
    (tmp_path / "part_1" / "shell.stl").unlink()
    (tmp_path / "part_1").rmdir()
