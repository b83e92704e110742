"""libpalate.so through ctypes: where it is found, and the calls of palate.h that are used here.

It is looked for, in this order: the path in $PALATE_LIBRARY; beside this file; build/libpalate.so
in a folder above this file (a checkout of palate that was built); wherever the system's linker
looks (after `make install`).
"""
from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
from typing import Any

from .errors import BY_STATUS, LibraryNotFound, PalateError

HERE = os.path.dirname(os.path.abspath(__file__))


class Error(ctypes.Structure):
    """struct pal_error"""
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Rows(ctypes.Structure):
    """struct pal_rows"""
    _fields_ = [("rows", ctypes.c_uint32), ("cols", ctypes.c_uint32), ("start", ctypes.c_void_p),
                ("col", ctypes.c_void_p), ("val", ctypes.c_void_p)]


Progress = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64,
                            ctypes.c_uint64)


class Work(ctypes.Structure):
    """struct pal_work"""
    _fields_ = [("threads", ctypes.c_uint), ("seed", ctypes.c_uint64), ("progress", Progress),
                ("progress_ctx", ctypes.c_void_p)]


class Ask(ctypes.Structure):
    """struct pal_ask"""
    _fields_ = [("n", ctypes.c_uint32), ("threads", ctypes.c_uint),
                ("seen", ctypes.POINTER(Rows)), ("exclude", ctypes.c_void_p),
                ("exclude_count", ctypes.c_size_t), ("only", ctypes.c_void_p),
                ("only_count", ctypes.c_size_t)]


_MODEL, _TEXT, _ARRAY = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
_ROWS, _ASK, _ERROR = ctypes.POINTER(Rows), ctypes.POINTER(Ask), ctypes.POINTER(Error)
_OUT = ctypes.POINTER(ctypes.c_void_p)
_SIZE = ctypes.POINTER(ctypes.c_uint64)

# name: (result, arguments). Those whose result is a status end with a struct pal_error.
_CALLS: dict[str, tuple[Any, list[Any]]] = {
    "pal_version": (_TEXT, []),
    "pal_model_fit": (ctypes.c_int, [_TEXT, _TEXT, _ROWS, ctypes.POINTER(Work), _OUT, _ERROR]),
    "pal_model_free": (None, [_MODEL]),
    "pal_model_save": (ctypes.c_int, [_MODEL, _TEXT, _ERROR]),
    "pal_model_load": (ctypes.c_int, [_TEXT, _OUT, _ERROR]),
    "pal_model_name": (_TEXT, [_MODEL]),
    "pal_model_items": (ctypes.c_uint32, [_MODEL]),
    "pal_model_array": (ctypes.c_int, [_MODEL, _TEXT, _OUT, _SIZE, _SIZE, _ERROR]),
    "pal_model_top": (ctypes.c_int, [_MODEL, _ROWS, _ASK, _ARRAY, _ARRAY, _ERROR]),
    "pal_model_near": (ctypes.c_int,
                       [_MODEL, _ARRAY, ctypes.c_size_t, _ASK, _ARRAY, _ARRAY, _ERROR]),
    "pal_model_score": (ctypes.c_int, [_MODEL, _ROWS, ctypes.c_uint, _ARRAY, _ERROR]),
    "pal_model_explain": (ctypes.c_int, [_MODEL, _ROWS, ctypes.c_int32, _ARRAY, _ERROR]),
}


def _candidates() -> list[str]:
    told = os.environ.get("PALATE_LIBRARY")
    if told:
        return [told]
    found = [os.path.join(HERE, "libpalate.so")]
    folder = HERE
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        found.append(os.path.join(folder, "build", "libpalate.so"))
    found = [path for path in found if os.path.exists(path)]
    system = ctypes.util.find_library("palate")
    return found + ([system] if system else [])


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The library, opened once."""
    for path in _candidates():
        try:
            opened = ctypes.CDLL(path)
        except OSError as why:
            raise LibraryNotFound(f"{path} can't be opened: {why}") from why
        try:
            for name, (result, arguments) in _CALLS.items():
                call = getattr(opened, name)
                call.restype, call.argtypes = result, arguments
        except AttributeError:
            raise LibraryNotFound(f"{path} is of a version of palate without {name}: build or "
                                  "install the one that this package came with") from None
        return opened
    raise LibraryNotFound("libpalate.so is not found: set PALATE_LIBRARY to its path, or build "
                          "palate (`make`) or install it (`make install`)")


def call(name: str, *arguments: Any) -> None:
    """Calls a function that returns a status; raises what that status means."""
    error = Error()
    status = getattr(library(), name)(*arguments, ctypes.byref(error))
    if status:
        text = error.message.decode("utf-8", "replace")
        raise BY_STATUS.get(status, PalateError)(text)


def version() -> str:
    """The library's version."""
    text: bytes = library().pal_version()
    return text.decode()
