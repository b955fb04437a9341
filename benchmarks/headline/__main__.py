"""Cut known defects out of whole heads, complete the scans, score them, and write the tables of the docs.

    python -m benchmarks.headline run --out FOLDER [--data FOLDER] [--suite dev|others] [--only NAME] [--json FILE]
    python -m benchmarks.headline score --out FOLDER [--data FOLDER] [--suite dev|others] [--only NAME] [--json FILE]
    python -m benchmarks.headline tables [--json FILE]

`run` cuts the cases out of the heads in the folder of the data (without --data it takes the cases that lie in
FOLDER/cases), completes each in this process with nothing told, writes FOLDER/results/NAME, and scores. With --data the
plain linear fit of linear_fit.py, which is told the pose, is scored beside it. `score` scores a folder that was run.
With --json the results of the whole suite go into that file. `tables` writes the tables between their markers in
README.md and docs/results.md.

The data: meshmonk_simpop/SIMPOP_01.obj to 20, menpo_james/james.obj, lee_perry_smith/LeePerrySmith.glb,
ict_facekit/ict_facekit.npz. None of it belongs to this repository.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from benchmarks.headline import results
from benchmarks.headline.running import make_cases, run, score
from benchmarks.headline.tables import PAGES, by_defect, by_head, rendered, tables_of


def main() -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = _parser()
    options = parser.parse_args()
    if options.verb == "tables":
        tables = tables_of(results.read(options.json))
        for page in PAGES:
            page.write_text(rendered(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
        return
    if options.json and options.only:
        parser.error("--json holds whole suites; leave --only out")
    if options.verb == "run":
        if options.data:
            make_cases(options.out, options.data, options.suite, only=options.only)
        run(options.out, only=options.only)
    rows = score(options.out, only=options.only, data=options.data)
    (options.out / "score.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.data:
        linear = [row | {"missing": row["linear_missing"]} for row in rows]
        (options.out / "linear.json").write_text(json.dumps(linear, indent=1) + "\n", encoding="utf-8")
    found = results.suite_results(rows, _command(options))
    print("\n\n".join([by_defect(found), by_head(found)]))
    if options.json:
        document = results.read(options.json)
        document["suites"][options.suite] = found
        results.write(document, options.json)


def _command(options: argparse.Namespace) -> str:
    suite = "" if options.suite == "dev" else f" --suite {options.suite}"
    return f"python -m benchmarks.headline run --data DATA --out FOLDER{suite} --json docs/results.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.headline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "score"):
        one = verbs.add_parser(verb)
        one.add_argument("--out", type=Path, required=True, help="folder of cases and results")
        one.add_argument("--data", type=Path, help="folder of the heads")
        one.add_argument("--only", default="", help="part of the names of the cases wanted")
        one.add_argument("--suite", choices=("dev", "others"), default="dev")
        one.add_argument("--json", type=Path, help="file that the results of the whole suite go into")
    verbs.add_parser("tables").add_argument("--json", type=Path, default=results.FILE)
    return parser


if __name__ == "__main__":
    main()
