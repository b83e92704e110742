"""What calls of the library raise: one class for each of its statuses, all of them PalateError."""
from __future__ import annotations


class PalateError(Exception):
    """A call of the library failed; the text says what failed and what to do about it."""


class UsageError(PalateError, ValueError):
    """An argument or option that makes no sense."""


class FormatError(PalateError, ValueError):
    """Input that is not what its format promises."""


class CorruptError(PalateError):
    """A file of palate's own that is damaged."""


class NotFoundError(PalateError, LookupError):
    """No such file, item, model or array."""


class SystemFailure(PalateError, OSError):
    """The system refused to read or write."""


class OutOfMemory(PalateError, MemoryError):
    """Memory could not be had, or what was asked for would not fit."""


class Interrupted(PalateError):
    """Training was stopped by its callback."""


class UnsupportedError(PalateError, NotImplementedError):
    """This build, model or data can't do that."""


class LibraryNotFound(PalateError, ImportError):
    """libpalate.so is nowhere to be found."""


# By enum pal_status of palate.h.
BY_STATUS: dict[int, type[PalateError]] = {
    1: UsageError, 2: FormatError, 3: CorruptError, 4: NotFoundError, 5: SystemFailure,
    6: OutOfMemory, 7: Interrupted, 8: UnsupportedError,
}
