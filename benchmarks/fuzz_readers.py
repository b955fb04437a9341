"""Damage small files of every kind a million times and say what the readers made of them: the table of docs/files.md.

Run: python benchmarks/fuzz_readers.py --files 1000000
     python benchmarks/fuzz_readers.py --kinds model.json weights.safetensors --files 5000
     python benchmarks/fuzz_readers.py --kinds usda usdc usdz --files 1500

Each file is one of the whole ones of the test, with up to six changes: bytes changed, put in, taken out or doubled.
Right is a value or one sentence of the package's own errors; anything else is written out with its seed and counted.
USD needs the extra `formats`, and a process for each file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from facecom.errors import FacecomError
from facecom.io.files import read_scan
from facecom.io.landmark_names import LANDMARK_NAMES
from facecom.io.landmark_writers import csv_text, json_text, slicer_text
from facecom.io.landmarks import read_landmarks
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import LinearGenerator
from facecom.model.storage import DESCRIPTION, WEIGHTS, StorageFormat, npz_bytes, read_stored, write_stored

TEST = Path(__file__).parents[1] / "tests" / "io" / "test_fuzz.py"
USD_ENDINGS = (".usda", ".usdc", ".usdz")
KIND = StorageFormat("fuzz", 1)
PACKED = StorageFormat("fuzz", 1, arrays="weights.npz")
MOST_EDITS = 6
SECONDS_BETWEEN_LINES = 60.0
OWN_AND_CHILDREN = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
"""Whose memory counts: USD's library works in a child process."""
LANDMARKS = {name: [float(k), 1.5, -2.0] for k, name in enumerate(LANDMARK_NAMES[:3])}
LANDMARK_FILES = {
    "landmarks.csv": csv_text(LANDMARKS).encode(),
    "landmarks.json": json_text(LANDMARKS).encode(),
    "landmarks.mrk.json": slicer_text(LANDMARKS).encode(),
    "landmarks.fcsv": b"# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    b"# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    b"1,1.5,2,3,0,0,0,1,1,1,0,nose_tip,,\n",
    "landmarks.pp": b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<!DOCTYPE PickedPoints>\n<PickedPoints><point x="1" y="2" z="3" active="1" name="nose_tip"/>'
    b"</PickedPoints>",
}


class Kind(NamedTuple):
    """One kind of file: whole ones, and what reads the one that lies at a path."""

    wholes: list[bytes]
    read: Callable[[Path], object]


class Tally:
    """Counts, and the worst that was seen."""

    def __init__(self) -> None:
        self.read = self.refused = self.wrong = 0
        self.seconds, self.slowest = 0.0, ""

    def line(self, name: str) -> str:
        """The state as one line."""
        megabytes = max(resource.getrusage(who).ru_maxrss for who in OWN_AND_CHILDREN) / 1024
        total = self.read + self.refused + self.wrong
        return (
            f"{name}: {total:,} files, {self.read:,} read, {self.refused:,} refused, {self.wrong:,} wrong, "
            f"{self.seconds:.3f} s at most ({self.slowest}), {megabytes:,.0f} MB"
        )


def the_test() -> ModuleType:
    """The module of the short run, whose whole files and damage are used here."""
    module = ModuleType("fuzz_test")
    module.__file__ = str(TEST)
    SourceFileLoader("fuzz_test", str(TEST)).exec_module(module)
    return module


def kinds(folder: Path, test: ModuleType) -> dict[str, Kind]:
    """Every kind of file by the name under which one is written."""
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(3, dtype=np.int32)}
    write_stored(folder / "stored", arrays, {"note": "a"}, kind=KIND)
    small_model(folder / "model")
    found = {f"a{ext}": Kind(test.WHOLE.get(ext, [test.CLOUD]), read_scan) for ext in test.IN_PROCESS}
    found |= {name: Kind([whole], read_landmarks) for name, whole in LANDMARK_FILES.items()}
    found["weights.npz"] = Kind([npz_bytes(arrays)], lambda path: read_sealed(path, PACKED))
    found[WEIGHTS] = Kind([(folder / "stored" / WEIGHTS).read_bytes()], lambda path: read_sealed(path, KIND))
    for name in (DESCRIPTION, WEIGHTS):
        whole = (folder / "model" / name).read_bytes()
        found[f"model/{name}"] = Kind([whole], lambda path, whole=whole: read_model(path, whole))
    if find_spec("pxr"):
        found |= {f"a{ending}": Kind([usd_bytes(folder, ending)], read_scan) for ending in USD_ENDINGS}
    return found


def usd_bytes(folder: Path, ending: str) -> bytes:
    """A square that is shown twice, as USD's library writes it."""
    from pxr import Usd, UsdGeom, UsdUtils

    flat = folder / ("whole.usdc" if ending == ".usdz" else f"whole{ending}")
    stage = Usd.Stage.CreateNew(str(flat))
    for name, away in (("a", 0.0), ("b", 5.0)):
        UsdGeom.XformCommonAPI(UsdGeom.Xform.Define(stage, f"/{name}")).SetTranslate((away, 0.0, 1.0))
        mesh = UsdGeom.Mesh.Define(stage, f"/{name}/mesh")
        mesh.CreatePointsAttr([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0.5)])
        mesh.CreateFaceVertexCountsAttr([4])
        mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
        mesh.CreateDisplayColorPrimvar("vertex").Set([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
    stage.GetRootLayer().Save()
    if ending != ".usdz":
        return flat.read_bytes()
    UsdUtils.CreateNewUsdzPackage(str(flat), str(folder / "whole.usdz"))
    return (folder / "whole.usdz").read_bytes()


def small_model(folder: Path) -> None:
    """A face model of one mode."""
    whole = LinearGenerator.load()
    one = {"modes": whole.modes[:1], "mode_odd": whole.mode_odd[:1]}
    replace(whole, **one, fields=whole.fields[:1], field_odd=whole.field_odd[:1]).save(folder)


def read_sealed(path: Path, kind: StorageFormat) -> object:
    """Arrays under the hash that they ask for, since a wrong hash would be refused before they are looked at."""
    text = {"format": kind.format, "version": 1, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (path.parent / kind.description).write_text(json.dumps(text))
    return read_stored(path.parent, kind=kind)


def read_model(path: Path, whole: bytes) -> object:
    """A model folder with one damaged file; arrays get the hash that they ask for; then the file is whole again."""
    description = path.parent / DESCRIPTION
    text = description.read_bytes()
    if path.name == WEIGHTS:
        seal = {**json.loads(text), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        description.write_text(json.dumps(seal))
    try:
        model = load_model(path.parent)
        return model.decode(np.zeros(model.code_size))
    finally:
        description.write_bytes(text if path.name == WEIGHTS else whole)


def main() -> None:
    """Damage files in turn until there were enough, and print a line a minute and one for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", help="ends of names; without it all but model folders and USD")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    test = the_test()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        every = kinds(folder, test)
        wanted = [k for k in every if (k.endswith(tuple(options.kinds)) if options.kinds else not slow_to_read(k))]
        tallies = {k: Tally() for k in wanted}
        last = time.monotonic()
        for number in range(options.files):
            which = wanted[number % len(wanted)]
            seed = options.seed * 10**9 + number
            one_file(folder / which, every[which], test.damaged_file, seed=seed, tally=tallies[which])
            if time.monotonic() - last > SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                print(f"{number + 1:,} files, {max(t.seconds for t in tallies.values()):.2f} s at most", flush=True)
        for which, tally in tallies.items():
            print(tally.line(which))
        print(f"{sum(t.wrong for t in tallies.values())} wrong of {options.files:,}")


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def slow_to_read(name: str) -> bool:
    """Whether each file of a kind takes tenths of a second."""
    return "model/" in name or name.endswith(USD_ENDINGS)


def one_file(path: Path, kind: Kind, damage: Callable[..., bytes], *, seed: int, tally: Tally) -> None:
    """Damage one file, read it, and count the outcome."""
    rng = random.Random(seed)
    data = damage(path.suffix, rng.choice(kind.wholes), seed, rng.randint(0, MOST_EDITS))
    path.write_bytes(data)
    begin = processor_seconds()
    try:
        kind.read(path)
        tally.read += 1
    except FacecomError as error:
        tally.refused += 1
        if "\n" in str(error):
            tally.wrong += 1
            print(f"{path.name} seed {seed}: more than one line: {error!r}", flush=True)
    except BaseException as error:
        tally.wrong += 1
        print(f"{path.name} seed {seed}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        if isinstance(error, KeyboardInterrupt):
            raise
    seconds = processor_seconds() - begin
    if seconds > tally.seconds:
        tally.seconds, tally.slowest = seconds, f"seed {seed}"


if __name__ == "__main__":
    main()
