"""palate from Python: models over libpalate, and a client for a running `palate serve`.

    from palate.implicit.als import AlternatingLeastSquares   as in the package `implicit`
    palate.Model                                              the same models, plainly
    palate.Client                                             events and answers over HTTP

The models need NumPy and the library libpalate.so (see palate.library); the client needs neither
and does not load them.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import ApiError, Client, Unreachable
from .errors import (CorruptError, FormatError, Interrupted, LibraryNotFound, NotFoundError,
                     OutOfMemory, PalateError, SystemFailure, UnsupportedError, UsageError)

if TYPE_CHECKING:
    from .model import Model

__version__ = "0.1.0"

__all__ = ["ApiError", "Client", "CorruptError", "FormatError", "Interrupted", "LibraryNotFound",
           "Model", "NotFoundError", "OutOfMemory", "PalateError", "SystemFailure", "Unreachable",
           "UnsupportedError", "UsageError"]


def __getattr__(name: str) -> Any:
    if name == "Model":
        from .model import Model  # NumPy and the library are loaded by who needs them
        return Model
    raise AttributeError(f"module 'palate' has no attribute {name!r}")
