"""The exit statuses of the command line; docs/security.md lists them for users."""

DONE, BUG, WRONG_USE, NO_FACE, SOME_FAILED, BOUND_BROKEN, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 5, 130, 143
