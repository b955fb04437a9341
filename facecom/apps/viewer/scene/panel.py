"""The controls of a page, from top to bottom; a `ClientController` connects them to its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.scene import LAYERS, SURFACES
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.io.files import SINGLE_FILES
from facecom.report.html import DISCLAIMER

NO_LANDMARK = "none"
OTHER_PART = "The part that can be downloaded was designed for another face than the one that is shown."
ROTATE_VIEW = "turn the view"
POINTER = (ROTATE_VIEW, *(tool.value for tool in Tool))
"""What the pointer does."""
FORMATS = ", ".join(suffix[1:].upper() for suffix in SINGLE_FILES)
BRUSH_RADIUS_RANGE_MM, MARGIN_RANGE_MM, WALL_RANGE_MM = (2.0, 20.0), (1.0, 20.0), (0.6, 10.0)
BRUSH_RADIUS_MM, BRUSH_STEP_MM = 7.0, 0.5
MARGIN_MM, MARGIN_STEP_MM = 5.0, 0.5
WALL_MM, WALL_STEP_MM = 3.0, 0.1
"""First value and step of the brush's radius, and of margin and wall of a prosthesis."""


def checked_length_mm(value: Any, bounds: tuple[float, float]) -> float:
    """A length that a page sent.

    Raises
    ------
    ValueError
        When it is not a number within the bounds of its control.

    Examples
    --------
    >>> checked_length_mm(5, MARGIN_RANGE_MM)
    5.0
    """
    low, high = bounds
    if not (isinstance(value, int | float) and low <= value <= high):
        raise ValueError(f"a length there must be from {low:g} to {high:g} mm")
    return float(value)


@dataclass(frozen=True, eq=False)
class Panel:
    """viser's handles of the controls, by what they are for."""

    upload: Any
    status: Any
    progress: Any
    stop: Any
    legend: Any
    marking: Any
    pointer: Any
    radius: Any
    undo_stroke: Any
    unmark_all: Any
    detail: Any
    complete: Any
    result: Any
    layer: Any
    surface: Any
    variants: Any
    landmark: Any
    undo_dragging: Any
    sample: Any
    prosthesis: Any
    margin: Any
    wall: Any
    design: Any
    other_part: Any
    download: Any
    results: Any
    prostheses: Any

    @classmethod
    def create(cls, gui: Any, limits: Limits) -> Panel:
        """Add the controls to a page; all but the upload stay hidden while there is nothing that they act on."""
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="large")
        gui.main_panel.dock_right()
        controls: dict[str, Any] = {
            # shown when it is connected: what is uploaded before that would be lost
            "upload": gui.add_upload_button("Upload a scan, or drop it anywhere", icon="upload", visible=False),
            "status": gui.add_markdown(f"{FORMATS}, at most {limits.upload_mb} MB."),
            "progress": gui.add_progress_bar(0.0, visible=False),
            "stop": gui.add_button("Stop", visible=False, color="gray"),
            "legend": gui.add_markdown("", visible=False),
        }
        controls |= _marking_controls(gui) | _result_controls(gui) | _variant_controls(gui, limits)
        controls |= _prosthesis_controls(gui) | _download_controls(gui)
        gui.add_markdown(f"*{DISCLAIMER}*")
        return cls(**controls)

    def update(self, session: Session) -> None:
        """Show the controls that a session has a use for, and its values."""
        has_result = session.result is not None
        self.marking.visible = session.scan is not None
        for folder in (self.result, self.variants, self.prosthesis, self.download):
            folder.visible = has_result
        self.prostheses.visible = bool(session.prostheses)
        self.other_part.visible = len(session.displayed_prostheses) < len(session.prostheses)
        self.undo_stroke.visible = bool(session.marks.earlier)
        names = (NO_LANDMARK, *session.movable_landmarks())
        if tuple(self.landmark.options) != names:
            self.landmark.options = names
            self.landmark.value = NO_LANDMARK
        if self.sample.value != session.sample:
            self.sample.value = session.sample

    def disable(self, reason: str) -> None:
        """Hide all controls and say why."""
        for control in (self.marking, self.result, self.variants, self.prosthesis, self.download, self.upload):
            control.visible = False
        self.progress.visible = self.stop.visible = self.legend.visible = False
        self.status.content = f"**{reason}**"


def _marking_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("1 · What is missing", visible=False)
    hint = "a scan is marked; what was found missing may be left open"
    low, high = BRUSH_RADIUS_RANGE_MM
    with folder:
        return {
            "marking": folder,
            "pointer": gui.add_dropdown("Pointer", POINTER, hint=hint),
            "radius": gui.add_slider("Brush, mm", min=low, max=high, step=BRUSH_STEP_MM, initial_value=BRUSH_RADIUS_MM),
            "undo_stroke": gui.add_button("Undo last stroke", color="gray", visible=False),
            "unmark_all": gui.add_button("Take all marks back", color="gray"),
            "detail": gui.add_checkbox(
                "Skin relief", False, hint="skin relief on the made-up part, synthesised from this person's own skin"
            ),
            "complete": gui.add_button("Complete", color="green"),
        }


def _result_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("2 · Result", visible=False)
    with folder:
        return {
            "result": folder,
            "layer": gui.add_dropdown("Layer", LAYERS),
            "surface": gui.add_dropdown("Surface", SURFACES),
        }


def _variant_controls(gui: Any, limits: Limits) -> dict[str, Any]:
    folder = gui.add_folder("3 · Change it", visible=False)
    with folder:
        return {
            "variants": folder,
            "landmark": gui.add_dropdown("Landmark", (NO_LANDMARK,), hint="drag its arrows, and the face follows"),
            "undo_dragging": gui.add_button("Undo dragging", color="gray"),
            "sample": gui.add_slider(
                "Other faces", min=0, max=limits.samples, step=1, initial_value=0, hint="0 is the most likely one"
            ),
        }


def _prosthesis_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("4 · Prosthesis", visible=False)
    with folder:
        return {
            "prosthesis": folder,
            "margin": _length_control(gui, "Margin, mm", MARGIN_MM, MARGIN_RANGE_MM, MARGIN_STEP_MM),
            "wall": _length_control(gui, "Wall, mm", WALL_MM, WALL_RANGE_MM, WALL_STEP_MM),
            "design": gui.add_button("Design it"),
            "other_part": gui.add_markdown(OTHER_PART, visible=False),
        }


def _length_control(gui: Any, label: str, value: float, bounds: tuple[float, float], step: float) -> Any:
    return gui.add_number(label, value, min=bounds[0], max=bounds[1], step=step)


def _download_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("5 · Download", visible=False)
    with folder:
        return {
            "download": folder,
            "results": gui.add_button("Results (zip)", icon="download"),
            "prostheses": gui.add_button("Prosthesis (zip)", icon="download", visible=False),
        }
