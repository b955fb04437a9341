"""What the verbs find in a folder."""

from facecom.commands.verbs import scans_in
from facecom.io.files import READABLE


def test_every_format_that_can_be_read_is_a_scan(tmp_path):
    scans = {f"scan{ending}" for ending in READABLE} | {"LOUD.PLY"}
    for name in (*scans, "notes.md", "texture.png"):
        (tmp_path / name).touch()
    assert [path.name for path in scans_in(tmp_path)] == sorted(scans)
