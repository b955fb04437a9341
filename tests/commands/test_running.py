"""The progress bar."""

from facecom.commands.running import ProgressBar


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
