"""The command line: `facecom complete SCAN --out DIR` and the other verbs.

Exit status: 0 done; 2 wrong use or unreadable input; 3 not a face, or too little of one; 1 a bug; 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from facecom.commands.options import parser
from facecom.errors import AlignmentError, CheckpointError, FacecomError, FitError, MissingDependency, ScanError

DONE, BUG, WRONG_USE, NO_FACE, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (AlignmentError, FitError) as error:
        return _print_error(error, NO_FACE)
    except (ScanError, CheckpointError, MissingDependency, ValueError, OSError) as error:
        return _print_error(error, WRONG_USE)
    except FacecomError as error:
        return _print_error(error, BUG)
    except KeyboardInterrupt:
        return _print_error("stopped; nothing was written", INTERRUPTED)
    return DONE


def _print_error(error: Exception | str, status: int) -> int:
    text = " ".join(str(error).split())
    print(f"facecom: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
