"""Cases: a head with a defect, in some pose and unit, and the true surface that the defect took away."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.headline.heads import DEV_HEADS, OTHER_HEADS, HeadFile, in_face
from facecom import Mesh, Surface, write_mesh
from facecom.evaluation.defects import Defect
from facecom.evaluation.partial_scans import ScanSettings, Unit, partial_scan
from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.sampling import sample_surface

SuiteName = Literal["dev", "others"]
KINDS: dict[str, Defect] = {
    "nose": "nose",
    "orbit": "orbit",
    "cheek": "cheek_wide",
    "nose_orbit": "nose_orbit",
    "mouth": "mouth",
    "chin": "chin",
    "brow": "brow",
    "holes": "holes",
    "half": "half",
}
"""The nine defects by the names of the tables, and which of `facecom.evaluation.defects` each is."""
FEW = ("nose", "orbit", "cheek", "nose_orbit", "half")
"""What is cut out of the simulated faces of the dev suite."""
TRUE_POINTS = 60_000
OTHERS_SEED = 7


@dataclass(frozen=True)
class Case:
    """One scan to be made; `max_angle` in radians, `clutter` in blobs."""

    head: str
    defect: str
    unit: Unit = "mm"
    clutter: int = 0
    max_angle: float = np.radians(20.0)
    seed: int = 0

    @property
    def name(self) -> str:
        """The folder of the case."""
        return f"{self.head}_{self.defect}" + ("" if self.unit == "mm" else f"_{self.unit}")


def suite(name: SuiteName) -> list[tuple[HeadFile, Case]]:
    """The cases of a suite, with the head of each."""
    return list(_dev() if name == "dev" else _others())


def _dev() -> Iterator[tuple[HeadFile, Case]]:
    """Nine heads, 53 cases: all defects of the real heads, five of the simulated; every third head in metres."""
    for k, head in enumerate(DEV_HEADS):
        for defect in KINDS if head.real else FEW:
            yield head, Case(head.name, defect, unit="m" if k % 3 == 2 else "mm", clutter=3 * (k % 2))


def _others() -> Iterator[tuple[HeadFile, Case]]:
    """Fifteen heads, 77 cases: every second pair of simulated head and defect, all of the real heads, larger poses."""
    for (k, head), (j, defect) in itertools.product(enumerate(OTHER_HEADS), enumerate(KINDS)):
        if head.real or (k + j) % 2 == 0:
            unit: Unit = ("mm", "cm", "m")[(k + j) % 3]
            yield head, Case(head.name, defect, unit, 2 * (k % 3), np.radians(40.0), OTHERS_SEED)


@dataclass(frozen=True, eq=False)
class Cut:
    """A scan and its truth, all in the scan's own frame and unit.

    scan : Mesh; missing, observed : (N, 3) points of the true surface of the face, removed and kept;
    pose : (4, 4), face frame (mm) -> scan.
    """

    scan: Mesh
    missing: Floats
    observed: Floats
    pose: Floats


def cut(head: Mesh, case: Case) -> Cut:
    """Cut the defect of a case out of a head (mm, face frame), scan the rest, and keep the truth."""
    seed = zlib.crc32(f"{case.seed}:{case.head}:{case.defect}".encode())
    settings = ScanSettings(clutter=case.clutter, max_angle=case.max_angle, unit=case.unit)
    made = partial_scan(head, KINDS[case.defect], seed=seed, settings=settings)
    drawn = sample_surface(head, TRUE_POINTS, seed=seed)
    shown = in_face(drawn.points)
    shown[shown] = visible(drawn.points[shown], head)
    gone = made.removed[drawn.faces]
    missing, observed = (made.pose.apply(drawn.points[shown & mask]) for mask in (gone, ~gone))
    return Cut(made.scan, missing, observed, made.pose.matrix())


def visible(points: Floats, head: Mesh) -> Bools:
    """Which points of the surface some camera in front sees: skin, not the inside of mouth and nose."""
    surface, seen = Surface(head), np.zeros(len(points), bool)
    for yaw, pitch in itertools.product(np.radians([-70, -35, 0, 35, 70]), np.radians([-45, -10, 25])):
        towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        seen |= np.isinf(surface.cast(points + 0.05 * towards, towards).depth)
    return seen


def write_case(folder: Path, case: Case, made: Cut) -> None:
    """Write scan.ply, truth.npz and meta.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mesh(folder / "scan.ply", made.scan, exact=False)
    np.savez_compressed(folder / "truth.npz", missing=made.missing, observed=made.observed, pose=made.pose)
    (folder / "meta.json").write_text(json.dumps(asdict(case), indent=1) + "\n", encoding="utf-8")
