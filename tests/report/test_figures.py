import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from facecom.drawing import colors
from facecom.geometry.mesh import Mesh
from facecom.report import figures


@pytest.fixture(scope="module")
def dome(sheet) -> Mesh:
    flat = sheet(12, 12)
    x, y = (flat.vertices[:, :2] - 6).T
    return flat.with_vertices(np.stack([x, y, 4 - 0.05 * (x**2 + y**2)], 1))


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float) / 255


def amount(png: bytes, colour) -> int:
    return int((np.abs(pixels(png) - colour).max(-1) < 0.02).sum())


def test_the_same_figure_has_the_same_bytes_whatever_the_caller_set(dome):
    values = np.linspace(0, 1, len(dome.vertices))
    first = figures.error_map(dome, values, title="a", size=60)
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "savefig.dpi": 30}):
        assert figures.error_map(dome, values, title="a", size=60) == first
        assert matplotlib.rcParams["font.size"] == 30
    assert figures.error_map(dome, values[::-1], title="a", size=60) != first


def test_signed_errors_are_told_apart_by_colour(dome):
    x = dome.vertices[:, 0]
    picture = pixels(figures.error_map(dome, np.sign(x), signed=True, high_mm=1.0, size=80))
    red = picture[..., 0] - picture[..., 2]
    columns = np.arange(picture.shape[1])
    front = columns < picture.shape[1] // 4  # the front view comes first
    right = (red[:, front].max(0) > 0.2) @ columns[front] / (red[:, front].max(0) > 0.2).sum()
    left = (red[:, front].min(0) < -0.2) @ columns[front] / (red[:, front].min(0) < -0.2).sum()
    assert left < right  # inwards at x < 0, which a front view shows on the left


def test_calibration_of_honest_and_of_boastful_errors():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.5, 2, 4000)
    honest = figures.calibration_plot(sigma * rng.normal(size=4000), sigma)
    boast = figures.calibration_plot(3 * sigma * rng.normal(size=4000), sigma)
    line = np.array([0x24, 0x57, 0x8F]) / 255
    rows = [np.nonzero(np.abs(pixels(p) - line).max(-1) < 0.1) for p in (honest, boast)]
    middle = [y[np.abs(x - 0.5 * pixels(honest).shape[1]) < 20].mean() for y, x in rows]
    assert middle[0] < middle[1] - 30  # too sure of itself: the line runs below


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda dome: figures.error_map(dome, [1.0]), "values"),
        (lambda dome: figures.error_map(dome, np.ones(169), shown=np.zeros(169, bool)), "nothing to show"),
        (lambda dome: figures.side_by_side({}), "no mesh"),
        (lambda dome: figures.calibration_plot([1.0], [1.0, 2.0]), "one length"),
        (lambda dome: figures.calibration_plot([1.0], [0.0]), "positive"),
        (lambda dome: figures.bar_plot({}, ylabel="mm"), "nothing to plot"),
        (lambda dome: figures.line_plot({}, xlabel="n", ylabel="s"), "nothing to plot"),
        (lambda dome: figures.line_plot({"a": ([1, 2], [1])}, xlabel="n", ylabel="s"), "'a' needs as many x as y"),
        (lambda dome: colors.color_values([1.0], colors.SEQUENTIAL, low=1, high=1), "above low"),
    ],
)
def test_what_cannot_be_drawn_is_refused(dome, call, message):
    with pytest.raises(ValueError, match=message):
        call(dome)


def test_side_by_side_shows_each_mesh_at_the_same_scale(dome):
    small = Mesh(dome.vertices * 0.5, dome.faces)
    picture = pixels(figures.side_by_side({"whole": dome, "half": small}))
    drawn = (np.abs(picture - picture[0, 0]).max(-1) > 0.1)[picture.shape[0] // 5 :]
    halves = np.array_split(drawn, 2, axis=1)
    heights = [h.any(1).sum() for h in halves]
    assert heights[1] == pytest.approx(heights[0] / 2, rel=0.15)


def test_bars_leave_a_gap_for_what_is_not_known():
    series = {"ours": {"nose": 0.5, "orbit": float("nan")}}
    assert amount(figures.bar_plot(series, ylabel="mm"), [0x24 / 255, 0x57 / 255, 0x8F / 255]) > 1000
    longer = {"ours": {"nose": 0.5, "orbit": 0.5}}
    colour = [0x24 / 255, 0x57 / 255, 0x8F / 255]
    assert amount(figures.bar_plot(longer, ylabel="mm"), colour) > 1.8 * amount(
        figures.bar_plot(series, ylabel="mm"), colour
    )


def test_what_is_straight_on_logarithmic_axes_lies_on_its_reference_and_the_rest_does_not():
    n = np.array([1.0, 10.0, 100.0])
    grey = [0x88 / 255] * 3

    def open_grey(power: float) -> int:
        """How much of the reference n^2 the line of a power leaves to be seen."""
        other, line = {"b": (n, n**2)}, {"a": (n, n**power)}
        return amount(figures.line_plot(line, xlabel="n", ylabel="s", logarithmic=True, reference=other), grey)

    assert open_grey(1.0) > 2 * open_grey(2.0)


def test_a_figure_is_written_as_it_is(tmp_path):
    assert figures.write_figure(tmp_path / "a.png", b"abc").read_bytes() == b"abc"
