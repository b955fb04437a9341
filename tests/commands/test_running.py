"""Output folders and the progress bar."""

from pathlib import Path

import pytest

from facecom.commands.running import ProgressBar, output_folder


def test_files_appear_when_the_block_succeeds_and_replace_folders(tmp_path):
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "old").touch()
    with output_folder(out) as partial:
        (partial / "face.ply").write_text("new")
        (partial / "model").mkdir()
        (partial / "model" / "new").touch()
        assert not (out / "face.ply").exists()
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == ["face.ply", "model", "model/new"]


def test_a_failed_block_leaves_no_folder_that_was_not_there(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError), output_folder(tmp_path / "there" / "deep" / "out") as partial:
        (partial / "face.ply").touch()
        raise RuntimeError
    assert list((tmp_path / "there").iterdir()) == []


def test_a_failed_block_keeps_what_was_there(tmp_path):
    (tmp_path / "face.ply").write_text("old")
    with pytest.raises(RuntimeError), output_folder(tmp_path) as partial:
        (partial / "face.ply").write_text("new")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["face.ply"]
    assert (tmp_path / "face.ply").read_text() == "old"


def test_ctrl_c_while_the_folder_is_made_leaves_nothing(tmp_path, monkeypatch):
    """The signal may come right after the folder was made."""
    mkdir = Path.mkdir

    def interrupted(path, *args, **options):
        mkdir(path, *args, **options)
        if path.name.startswith(".partial"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), output_folder(tmp_path / "deep" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_progress_bar_grows_and_is_erased(capsys):
    bar = ProgressBar("scan.ply", quiet=False)
    bar.show("fit", 0.5)
    assert "scan.ply [############............] fit" in capsys.readouterr().err
    bar.close()
    assert capsys.readouterr().err == "\r\033[K"


def test_a_quiet_bar_prints_nothing(capsys):
    bar = ProgressBar("scan.ply", quiet=True)
    bar.show("fit", 0.5)
    bar.close()
    assert capsys.readouterr() == ("", "")
