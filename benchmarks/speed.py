"""Time and memory of the command line, from a cold start: prints one table.

    python benchmarks/speed.py [--scan FILE] [--vertices 25000 1000000] [--repeat 3]

Each row runs `facecom complete` in a process of its own on the scan brought to that many vertices (thinned, then split
without moving anything). Wall seconds and peak memory are the child's; the seconds of each stage come from its report.
The row "in process" is `facecom.complete` on the same scan in a process that has completed one before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from facecom.errors import need
from facecom.geometry.mesh import Mesh
from facecom.geometry.subdivision import midpoint_matrix, split_faces
from facecom.io.files import read_scan, write_mesh

DEMO = Path(__file__).resolve().parent.parent / "data" / "demo"


def resized(scan: Mesh, vertices: int) -> Mesh:
    """The scan's surface with about that many vertices."""
    splits = 0
    while vertices / 4 ** (splits + 1) > len(scan.vertices) / 4:
        splits += 1
    faces = int(len(scan.faces) * (vertices / 4**splits) / len(scan.vertices))
    mesh = _thinned(scan, faces) if faces < len(scan.faces) else scan
    for _ in range(splits):
        finer, parents = split_faces(mesh.faces, len(mesh.vertices))
        mesh = Mesh(midpoint_matrix(parents, len(mesh.vertices)) @ mesh.vertices, finer)
    return mesh


def _thinned(scan: Mesh, faces: int) -> Mesh:
    o3d = need("open3d")
    given = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(scan.vertices.copy()), o3d.utility.Vector3iVector(scan.faces.astype("int32"))
    )
    made = given.simplify_quadric_decimation(faces)
    return Mesh(made.vertices, made.triangles)


# A process counts the memory of the one it was forked from, so a small one stands between this script and the command.
_RUNNER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1e6)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in GB of a command; its output is shown only when it fails."""
    done = subprocess.run([sys.executable, "-S", "-c", _RUNNER, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    seconds, memory = done.stdout.splitlines()[-1].split()
    return float(seconds), float(memory)


# The first completion loads packages and model; what comes after is what a notebook or a server sees.
_AGAIN = """
import resource, sys, time
import facecom
facecom.complete(sys.argv[1])
start = time.perf_counter()
facecom.complete(sys.argv[1])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def measured_again(path: Path) -> tuple[float, float]:
    """Wall seconds of the second completion of a process, and that process's peak memory in GB."""
    done = subprocess.run([sys.executable, "-c", _AGAIN, str(path)], capture_output=True, text=True, check=True)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def row(name: str, runs: list[tuple[float, float]], stages: dict[str, float]) -> str:
    """One line of the table: the median time, the largest memory, the stages of the last run."""
    wall = sorted(seconds for seconds, _ in runs)[len(runs) // 2]
    parts = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items())
    return f"| {name} | {wall:.2f} | {max(memory for _, memory in runs):.2f} | {parts} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, help="data/demo/nose.ply unless given")
    parser.add_argument("--vertices", type=int, nargs="+", default=[25_000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each row; the median is shown")
    options = parser.parse_args()
    scan = read_scan(options.scan or DEMO / "nose.ply")
    if not len(scan.faces):
        raise SystemExit(f"{options.scan} holds points without triangles, which cannot be split; name a mesh")
    print(f"{os.cpu_count()} cores, the median of {options.repeat} runs\n")
    print("| what | wall s | peak GB | seconds by stage |\n| --- | --- | --- | --- |", flush=True)
    python = [sys.executable, "-c"]
    print(row("empty Python", [measured([*python, ""]) for _ in range(options.repeat)], {}))
    print(row("import facecom", [measured([*python, "import facecom"]) for _ in range(options.repeat)], {}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for count in options.vertices:
            path, out = Path(folder) / "scan.ply", Path(folder) / "out"
            mesh = resized(scan, count)
            write_mesh(path, mesh)
            command = [sys.executable, "-m", "facecom", "complete", str(path), "--out", str(out)]
            runs = [measured(command) for _ in range(options.repeat)]
            stages = json.loads((out / "report.json").read_text()).get("seconds", {})
            print(row(f"complete, {len(mesh.vertices):,} vertices", runs, stages), flush=True)
            again = [measured_again(path) for _ in range(options.repeat)]
            print(row(f"in process, {len(mesh.vertices):,} vertices", again, {}), flush=True)


if __name__ == "__main__":
    main()
