"""What report.html and preview.png add to a completion, in seconds: python benchmarks/report_time.py SCAN ...

Prints, for each scan, the seconds of the completion, of writing its meshes, of the report (pictures, page, files), and
the size of the page. Packages and model are loaded before, as they are for the second of many scans.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from facecom.commands.running import write_results
from facecom.completion import Completion, complete


def seconds_of_report(result: Completion, folder: Path) -> tuple[float, float, int]:
    """Seconds of writing the meshes, seconds that the report adds, and the page's bytes."""
    since = time.perf_counter()
    result.save(folder)
    meshes = time.perf_counter() - since
    since = time.perf_counter()
    write_results(result, folder)
    return meshes, time.perf_counter() - since - meshes, (folder / "report.html").stat().st_size


def main() -> None:
    """Print a line for each scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warm = complete(options.scans[0])
        seconds_of_report(warm, Path(folder))
        for scan in options.scans:
            since = time.perf_counter()
            result = complete(scan)
            whole = time.perf_counter() - since
            meshes, report, size = seconds_of_report(result, Path(folder))
            parts = f"completion {whole:.1f} s, meshes {meshes:.2f} s, report {report:.2f} s"
            print(f"{scan.name}: {parts}, page {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
