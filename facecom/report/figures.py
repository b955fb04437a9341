"""Figures for papers and docs: error maps, side-by-sides, calibration and bench plots, all with the same look."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf

from facecom.drawing import colors
from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.errors import need
from facecom.geometry.mesh import Mesh

SIDE_YAW_RAD = np.radians(40)
VIEWS = (
    ViewDirection("front"),
    ViewDirection("subject's left", SIDE_YAW_RAD),
    ViewDirection("subject's right", -SIDE_YAW_RAD),
)
SERIES = tuple(
    colors.css(c) for c in ((0.14, 0.34, 0.56), colors.MODEL, colors.GUIDED, (0.62, 0.12, 0.32), colors.NO_VALUE)
)
"""Colours of the series of a plot."""
REFERENCE_COLOR = "#888888"
FIGURE_SIZE = 320
"""Pixels a side of a rendered mesh in a figure."""
BAR_WIDTH, BAR_MARGIN = 0.8, 0.6
"""Width of a group of bars, and space before the first group, in distances between groups."""
MAX_SIGMAS, SIGMA_STEPS = 3.0, 61
"""Range and number of the intervals of a calibration plot, in standard deviations."""
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.grid": True, "grid.color": "#e3e6e9",
    "axes.axisbelow": True, "legend.frameon": False, "savefig.dpi": 150, "figure.constrained_layout.use": True,
}  # fmt: skip


def error_map(
    mesh: Mesh,
    values_mm: ArrayLike,
    *,
    title: str = "",
    high_mm: float | None = None,
    signed: bool = False,
    shown: ArrayLike | None = None,
    size: int = FIGURE_SIZE,
) -> bytes:
    """Lengths on a surface from three directions, with a colour bar.

    Parameters
    ----------
    mesh : Mesh, face frame, mm
    values_mm : (V,) float
    high_mm : end of the scale; a round number above nearly all values unless given
    signed : scale symmetric about zero, blue inwards and red outwards
    shown : (V,) bool, the others are grey
    size : pixels a side of each picture

    Returns
    -------
    bytes, PNG

    Raises
    ------
    ValueError
        When there is not one value for each vertex, or none to show.

    Examples
    --------
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> error_map(flat, [0.0, 0.5, 1.0], size=40)[1:4]
    b'PNG'
    """
    values = np.asarray(values_mm, float)
    keep = np.ones(len(values), bool) if shown is None else np.asarray(shown, bool)
    if values.shape != (len(mesh.vertices),) or keep.shape != values.shape:
        raise ValueError(f"expected {len(mesh.vertices)} values, got arrays of shapes {values.shape} and {keep.shape}")
    if not keep.any():
        raise ValueError("there is nothing to show: no vertex is chosen")
    high = high_mm if high_mm is not None else colors.scale_end(np.abs(values[keep]))
    color_map, low = (colors.DIVERGING, -high) if signed else (colors.SEQUENTIAL, 0.0)
    vertex_colors = colors.color_values(values, color_map, low=low, high=high, shown=keep)
    frame = Frame.around(mesh.vertices, size=size)
    renderer = MeshRenderer(mesh, pixel_mm=frame.pixel_mm)
    with _figure(len(VIEWS), size=(2.6 * len(VIEWS), 3.0)) as (figure, axes):
        for axis, view in zip(axes, VIEWS, strict=True):
            _show(axis, renderer.shade(vertex_colors, view, frame), view.name)
        bar = _mappable(color_map, low, high)
        figure.colorbar(bar, ax=list(axes), shrink=0.7, label="mm", extend="both" if signed else "max")
        figure.suptitle(title)
        return _png(figure)


def side_by_side(meshes: Mapping[str, Mesh], *, view: ViewDirection = VIEWS[1], size: int = FIGURE_SIZE) -> bytes:
    """Meshes of the same frame next to each other, from one direction (PNG bytes).

    Raises
    ------
    ValueError
        When there are none.
    """
    if not meshes:
        raise ValueError("there is nothing to show: no mesh was given")
    frame = Frame.around(np.concatenate([m.vertices for m in meshes.values()]), size=size)
    with _figure(len(meshes), size=(2.4 * len(meshes), 2.8)) as (figure, axes):
        for axis, (name, mesh) in zip(axes, meshes.items(), strict=True):
            _show(axis, MeshRenderer(mesh, pixel_mm=frame.pixel_mm).shade(colors.PLAIN, view, frame), name)
        return _png(figure)


def calibration_plot(errors_mm: ArrayLike, sigma_mm: ArrayLike, *, title: str = "Calibration") -> bytes:
    """Empirical coverage of the intervals of k standard deviations against their nominal coverage (PNG bytes).

    Parameters
    ----------
    errors_mm, sigma_mm : (N,) float, signed error and stated standard deviation of each point

    Raises
    ------
    ValueError
        When the arrays differ in shape, are empty, or a standard deviation is not positive.
    """

    errors, sigma = np.asarray(errors_mm, float), np.asarray(sigma_mm, float)
    if errors.shape != sigma.shape or errors.ndim != 1 or not len(errors):
        raise ValueError(f"expected two arrays of one length, got shapes {errors.shape} and {sigma.shape}")
    if not (sigma > 0).all():
        raise ValueError("a standard deviation must be positive")
    steps = np.linspace(0.0, MAX_SIGMAS, SIGMA_STEPS)
    empirical = np.searchsorted(np.sort(np.abs(errors) / sigma), steps, side="right") / len(errors)
    nominal = erf(steps / np.sqrt(2.0))
    labels = {"xlabel": "nominal coverage", "ylabel": "empirical coverage"}
    with _figure(1, size=(3.6, 3.4)) as (figure, (axis,)):
        axis.plot([0, 1], [0, 1], color=SERIES[4], linewidth=1, label="calibrated")
        axis.plot(nominal, empirical, color=SERIES[0], linewidth=2, label="measured")
        axis.set(**labels, xlim=(0, 1), ylim=(0, 1), title=title, aspect="equal")
        axis.legend(loc="upper left")
        return _png(figure)


def bar_plot(series: Mapping[str, Mapping[str, float]], *, ylabel: str, title: str = "") -> bytes:
    """Grouped bars: series name -> group name -> value; a value that is not finite has no bar (PNG bytes).

    Raises
    ------
    ValueError
        When there is nothing to plot.
    """
    groups = list(dict.fromkeys(name for values in series.values() for name in values))
    if not groups:
        raise ValueError("there is nothing to plot: no series holds a value")
    width = BAR_WIDTH / len(series)
    with _figure(1, size=(max(3.6, 0.55 * len(groups) * max(1, len(series) / 2) + 1.5), 3.0)) as (figure, (axis,)):
        for k, (name, values) in enumerate(series.items()):
            positions = np.arange(len(groups)) + (k + 0.5) * width - BAR_WIDTH / 2
            heights = [values.get(g, np.nan) for g in groups]
            axis.bar(positions, heights, width, label=name, color=SERIES[k % len(SERIES)])
        axis.set_xticks(np.arange(len(groups)), groups, rotation=30, ha="right", rotation_mode="anchor")
        axis.set_xlim(-BAR_MARGIN, len(groups) - (1 - BAR_MARGIN))
        axis.grid(axis="x", visible=False)
        axis.set(ylabel=ylabel, title=title)
        if len(series) > 1:
            axis.legend()
        return _png(figure)


def line_plot(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    logarithmic: bool = False,
    reference: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
) -> bytes:
    """Lines with markers (PNG bytes).

    Parameters
    ----------
    series : name -> x and y, (N,) float each
    logarithmic : bool, both axes
    reference : further series for comparison: dashed, grey, without markers

    Raises
    ------
    ValueError
        When there is nothing to plot, or a line has not as many x as y.

    Examples
    --------
    >>> line_plot({"measured": ([1, 2, 4], [3, 5, 9])}, xlabel="n", ylabel="seconds", logarithmic=True)[1:4]
    b'PNG'
    """
    references = reference or {}
    if not series:
        raise ValueError("there is nothing to plot: no series was given")
    for name, (x, y) in (*series.items(), *references.items()):
        if np.shape(x) != np.shape(y) or np.ndim(x) != 1:
            raise ValueError(f"the line {name!r} needs as many x as y, got shapes {np.shape(x)} and {np.shape(y)}")
    with _figure(1, size=(5.2, 3.6)) as (figure, (axis,)):
        for k, (name, (x, y)) in enumerate(series.items()):
            axis.plot(x, y, color=SERIES[k % len(SERIES)], linewidth=1.5, marker=".", label=name)
        for name, (x, y) in references.items():
            axis.plot(x, y, color=REFERENCE_COLOR, linewidth=1.5, linestyle="--", label=name, zorder=1)
        axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
        if logarithmic:
            axis.set(xscale="log", yscale="log")
            axis.xaxis.set_major_formatter(need("matplotlib.ticker").FuncFormatter(lambda n, _: f"{n:,.10g}"))
        axis.legend(loc="upper left")
        return _png(figure)


def write_figure(path: str | Path, png: bytes) -> Path:
    """Write a figure; returns its path."""
    Path(path).write_bytes(png)
    return Path(path)


@contextmanager
def _figure(columns: int, *, size: tuple[float, float]) -> Iterator[tuple[Any, Sequence[Any]]]:
    """A figure with a row of axes in our style, independent of the caller's matplotlib settings, which stay as set."""
    plots = need("matplotlib", extra="report")
    with plots.rc_context():
        plots.rcdefaults()
        with plots.rc_context(_STYLE):
            figure = need("matplotlib.figure").Figure(figsize=size)
            need("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
            yield figure, figure.subplots(1, columns, squeeze=False)[0]


def _show(axis: Any, image: np.ndarray, title: str) -> None:
    axis.imshow(image)
    axis.set_axis_off()
    axis.set_title(title, fontweight="normal")


def _mappable(scale: Sequence[tuple[float, float, float]], low: float, high: float) -> Any:
    colors = need("matplotlib.colors", extra="report")
    shades = colors.LinearSegmentedColormap.from_list("facecom", list(scale))
    return need("matplotlib.cm").ScalarMappable(colors.Normalize(low, high), shades)


def _png(figure: Any) -> bytes:
    """The same bytes for the same figure: no date or program name is stored."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
