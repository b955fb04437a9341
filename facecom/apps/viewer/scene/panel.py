"""The controls of a page, from top to bottom; a `ClientController` connects them to its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.result_scene import LAYERS, SURFACES
from facecom.apps.viewer.scene.wording import plain_text
from facecom.apps.viewer.session.mark_files import MARK_FILES
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import GIVEN_LENGTH, UNIT_WORDS, ScanUnit
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
FIRST_MM_PER_UNIT, MM_PER_UNIT_STEP = 1.0, 0.001
"""First value and step of the brush's radius, of margin and wall of a prosthesis, and of a unit."""


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
    unit: Any
    mm_per_unit: Any
    read_again: Any
    status: Any
    progress: Any
    stop: Any
    legend: Any
    warnings: Any
    warning_text: Any
    marking: Any
    pointer: Any
    radius: Any
    undo_stroke: Any
    unmark_all: Any
    snap: Any
    mark_files: Any
    mark_kind: Any
    save_marks: Any
    load_marks: Any
    mark_word: Any
    mark_named: Any
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
            **_unit_controls(gui),
            "status": gui.add_markdown(f"{FORMATS}, at most {limits.upload_mb} MB."),
            "progress": gui.add_progress_bar(0.0, visible=False),
            "stop": gui.add_button("Stop", visible=False, color="gray"),
            "legend": gui.add_markdown("", visible=False),
        }
        controls |= _warning_controls(gui)
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
        self.prostheses.visible = session.prostheses is not None
        self.other_part.visible = session.prostheses is not None and session.displayed_prostheses is None
        self.undo_stroke.visible = bool(session.marks.earlier)
        self.save_marks.visible = session.marks.of_kind(MarkKind(self.mark_kind.value)).any()
        self.show_warnings(session)
        self.show_unit(session)
        names = (NO_LANDMARK, *session.movable_landmarks())
        if tuple(self.landmark.options) != names:
            self.landmark.options = names
            self.landmark.value = NO_LANDMARK
        if self.sample.value != session.sample:
            self.sample.value = session.sample

    def restore(self, session: Session) -> None:
        """Choose what a session was told before its page was loaded."""
        length = session.unit.mm_per_unit
        self.unit.value = session.unit.unit if length is None else GIVEN_LENGTH
        if length is not None:
            self.mm_per_unit.value = length
        self.snap.value = session.snap

    def show_warnings(self, session: Session) -> None:
        """Show the unit that the scan was read in, and what the session warns of, a line each."""
        unit = "" if session.detection is None else session.detection.unit
        told = ((f"the scan was read in {unit}",) if unit else ()) + session.warnings
        lines = [f"- {plain_text(text)}" for text in told]
        content = "\n".join(lines)
        if self.warning_text.content != content:
            self.warning_text.content = content
        self.warnings.visible = bool(lines)

    @property
    def chosen_unit(self) -> ScanUnit:
        """What is chosen for the unit; ValueError where that is none."""
        return ScanUnit.chosen(self.unit.value, self.mm_per_unit.value)

    def show_unit(self, session: Session) -> None:
        """Show the length where it counts, and the button with which the scan is read in another unit."""
        self.mm_per_unit.visible = self.unit.value == GIVEN_LENGTH
        word, length = session.unit.unit, session.unit.mm_per_unit
        same = self.unit.value == (word if length is None else GIVEN_LENGTH)
        if same and length is not None:
            same = self.mm_per_unit.value == length
        self.read_again.visible = session.scan is not None and not same

    def disable(self, reason: str) -> None:
        """Hide all controls and say why."""
        folders = (self.marking, self.result, self.variants, self.prosthesis, self.download)
        for control in (*folders, self.upload, self.unit, self.mm_per_unit, self.read_again, self.warnings):
            control.visible = False
        self.progress.visible = self.stop.visible = self.legend.visible = False
        self.status.content = f"**{reason}**"


def _warning_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("To know", visible=False)
    with folder:
        return {"warnings": folder, "warning_text": gui.add_markdown("")}


def _unit_controls(gui: Any) -> dict[str, Any]:
    about = "of the next upload; free where nobody knows it, as with photogrammetry: the face then tells it"
    return {
        "unit": gui.add_dropdown("Unit", UNIT_WORDS, hint=about),
        "mm_per_unit": gui.add_number(GIVEN_LENGTH, FIRST_MM_PER_UNIT, min=0.0, step=MM_PER_UNIT_STEP, visible=False),
        "read_again": gui.add_button("Read the scan in this unit", color="gray", visible=False),
    }


def _marking_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("1 · What is missing", visible=False)
    hint = "missing: no face, left out; doubted: skin that is kept and not believed, such as swelling"
    low, high = BRUSH_RADIUS_RANGE_MM
    snap = "move the borders of marks to creases and steps near them; the light colours show where to"
    with folder:
        return {
            "marking": folder,
            "pointer": gui.add_dropdown("Pointer", POINTER, hint=hint),
            "radius": gui.add_slider("Brush, mm", min=low, max=high, step=BRUSH_STEP_MM, initial_value=BRUSH_RADIUS_MM),
            "undo_stroke": gui.add_button("Undo last stroke", color="gray", visible=False),
            "unmark_all": gui.add_button("Take all marks back", color="gray"),
            "snap": gui.add_checkbox("Snap borders", True, hint=snap),
            **_mark_file_controls(gui),
            "detail": gui.add_checkbox(
                "Skin relief", False, hint="skin relief on the made-up part, synthesised from this person's own skin"
            ),
            "complete": gui.add_button("Complete", color="green"),
        }


def _mark_file_controls(gui: Any) -> dict[str, Any]:
    folder = gui.add_folder("Marks as a file or by name", expand_by_default=False)
    about = "the same files as those of facecom complete --missing and --doubted"
    with folder:
        return {
            "mark_files": folder,
            "mark_kind": gui.add_dropdown("They mark", tuple(kind.value for kind in MarkKind), hint=about),
            "save_marks": gui.add_button("Save marks", icon="download", visible=False),
            "load_marks": gui.add_upload_button("Load marks", icon="upload", mime_type=",".join(MARK_FILES)),
            "mark_word": gui.add_text("Or by name", "", hint="a region, such as nose or left_orbit, or color:ff0000"),
            "mark_named": gui.add_button("Mark what has this name", color="gray"),
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
