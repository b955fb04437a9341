"""The controls of a page, from top to bottom; what they do is the visitor's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.scene import BODIES, LAYERS
from facecom.apps.viewer.session.session import Session
from facecom.report.html import AID

NOBODY = "none"
LOOK, MARK, OPEN, BACK = "turn the view", "mark as missing", "leave open", "take back"
RADIUS_MM, MARGIN_MM, WALL_MM = (2.0, 20.0), (1.0, 20.0), (0.6, 10.0)


def between(value: Any, bounds: tuple[float, float]) -> float:
    """A length that a page sent; ValueError where its control does not allow it."""
    low, high = bounds
    if not (isinstance(value, int | float) and low <= value <= high):
        raise ValueError(f"a length there must be from {low:g} to {high:g} mm")
    return float(value)


@dataclass(frozen=True, eq=False)
class Panel:
    """viser's handles of the controls, by what they are for."""

    upload: Any
    status: Any
    bar: Any
    leave: Any
    missing: Any
    brush: Any
    radius: Any
    clear: Any
    relief: Any
    complete: Any
    result: Any
    layer: Any
    body: Any
    legend: Any
    others: Any
    point: Any
    release: Any
    sample: Any
    prosthesis: Any
    margin: Any
    wall: Any
    design: Any
    download: Any
    results: Any
    parts: Any

    @classmethod
    def of(cls, gui: Any, limits: Limits) -> Panel:
        """Make the controls; all but the upload wait unseen for something to act on."""
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="large")
        gui.main_panel.dock_right()
        made: dict[str, Any] = {
            "upload": gui.add_upload_button("Upload a scan, or drop it anywhere", icon="upload"),
            "status": gui.add_markdown(f"PLY, OBJ, STL, OFF, GLB, PCD or XYZ, at most {limits.upload_mb} MB."),
            "bar": gui.add_progress_bar(0.0, visible=False),
            "leave": gui.add_button("Stop", visible=False, color="gray"),
            "legend": gui.add_markdown("", visible=False),
        }
        for fill in (_missing, _result, _others, _prosthesis, _download):
            made |= fill(gui, limits)
        gui.add_markdown(f"*{AID}*")
        return cls(**made)

    def follow(self, session: Session) -> None:
        """Show the controls that a session has a use for, and what it holds."""
        done = session.result is not None
        self.missing.visible = session.scan is not None
        self.result.visible = self.others.visible = self.prosthesis.visible = self.download.visible = done
        self.parts.visible = bool(session.parts)
        names = (NOBODY, *session.handles())
        if tuple(self.point.options) != names:
            self.point.options = names
            self.point.value = NOBODY
        if self.sample.value != session.sample:
            self.sample.value = session.sample

    def hide(self, words: str) -> None:
        """Nothing can be done here any more, and why."""
        for control in (self.missing, self.result, self.others, self.prosthesis, self.download, self.upload):
            control.visible = False
        self.bar.visible = self.leave.visible = self.legend.visible = False
        self.status.content = f"**{words}**"


def _missing(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("1 · What is missing", visible=False)
    with folder:
        return {
            "missing": folder,
            "brush": gui.add_dropdown(
                "Pointer", (LOOK, MARK, OPEN, BACK), hint="a scan is marked; what was found missing may be left open"
            ),
            "radius": gui.add_slider("Brush, mm", min=RADIUS_MM[0], max=RADIUS_MM[1], step=0.5, initial_value=7.0),
            "clear": gui.add_button("Take all marks back", color="gray"),
            "relief": gui.add_checkbox(
                "Skin relief", False, hint="relief for what is made, from this person's own skin"
            ),
            "complete": gui.add_button("Complete", color="green"),
        }


def _result(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("2 · Result", visible=False)
    with folder:
        return {
            "result": folder,
            "layer": gui.add_dropdown("Layer", LAYERS),
            "body": gui.add_dropdown("Surface", BODIES),
        }


def _others(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("3 · Change it", visible=False)
    with folder:
        return {
            "others": folder,
            "point": gui.add_dropdown("Landmark", (NOBODY,), hint="drag its arrows, and the face follows"),
            "release": gui.add_button("Undo dragging", color="gray"),
            "sample": gui.add_slider(
                "Other faces", min=0, max=limits.samples, step=1, initial_value=0, hint="0 is the most likely one"
            ),
        }


def _prosthesis(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("4 · Prosthesis", visible=False)
    with folder:
        return {
            "prosthesis": folder,
            "margin": gui.add_number("Margin, mm", 5.0, min=MARGIN_MM[0], max=MARGIN_MM[1], step=0.5),
            "wall": gui.add_number("Wall, mm", 3.0, min=WALL_MM[0], max=WALL_MM[1], step=0.1),
            "design": gui.add_button("Design it"),
        }


def _download(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("5 · Download", visible=False)
    with folder:
        return {
            "download": folder,
            "results": gui.add_button("Results (zip)", icon="download"),
            "parts": gui.add_button("Prosthesis (zip)", icon="download", visible=False),
        }
