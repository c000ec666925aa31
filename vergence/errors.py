"""The errors that a user can cause, each with the exit code that the command line returns for it."""

from __future__ import annotations


class VergenceError(Exception):
    """A failure that is reported in one clear line instead of a traceback; exit code 1."""

    exit_code = 1


class UsageError(VergenceError):
    """Wrong usage or configuration (a flag, a recipe key, a missing optional package); exit code 2."""

    exit_code = 2


class DataError(VergenceError):
    """Data that can't be used (an image, a data folder, a checkpoint's content); exit code 3."""

    exit_code = 3
