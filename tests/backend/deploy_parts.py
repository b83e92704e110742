"""What the tests of deploy/ share: where it lies, tools from PyPI, PromQL taken apart."""
import os
import shutil
import subprocess
import sys

from server import Skip
from harness import PALATE, ROOT

DEPLOY = os.path.join(ROOT, "deploy")
INSTALL_S = 900


def from_pypi(name, *packages):
    """The folder of programs of an environment with these packages: $PALATE_TEST_<NAME>, or made
    once per build folder. Its python is `python`."""
    given = os.environ.get("PALATE_TEST_" + name.upper())
    place = given or os.path.join(os.path.dirname(PALATE), "test-" + name)
    programs, done = os.path.join(place, "bin"), os.path.join(place, "whole")
    wanted = "\n".join(packages)
    if given or (os.path.exists(done) and open(done, encoding="utf-8").read() == wanted):
        return programs
    shutil.rmtree(place, ignore_errors=True)
    try:
        for command in [[sys.executable, "-m", "venv", place],
                        [os.path.join(programs, "python"), "-m", "pip", "install", "-q",
                         "--disable-pip-version-check", *packages]]:
            subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(place, ignore_errors=True)
        raise Skip(f"no {name}: it can't be had from PyPI here") from None
    with open(done, "w", encoding="utf-8") as f:
        f.write(wanted)
    return programs


def go_program(name):
    """The program of tests/backend/NAME/main.go, built once per build folder; what it needs comes
    from the Go module proxy."""
    program = os.path.join(os.path.dirname(PALATE), "test-" + name)
    source, at = os.path.join(ROOT, "tests", "backend", name), program + "-source"
    newest = max(os.path.getmtime(os.path.join(source, file)) for file in os.listdir(source))
    if os.path.exists(program) and os.path.getmtime(program) > newest:
        return program
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go:
        raise Skip("no go here")
    shutil.rmtree(at, ignore_errors=True)
    shutil.copytree(source, at)
    env = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    try:
        subprocess.run([go, "build", "-p", "2", "-o", program, "."], cwd=at, env=env, check=True,
                       timeout=INSTALL_S, capture_output=True)
    except subprocess.SubprocessError:
        raise Skip(f"no {name}: it can't be had from the Go module proxy here") from None
    finally:
        shutil.rmtree(at, ignore_errors=True)
    return program


COMPARING = ["==", "!=", ">=", "<=", ">", "<", " and ", " unless ", " or "]
OPEN, CLOSE = "([{", ")]}"


def comparisons(text):
    """The sides of what a PromQL expression compares or joins at its outermost level: a condition
    that does not hold has no data, but its sides have."""
    text, sides, depth, quote, began, i = text.replace("\n", " "), [], 0, "", 0, 0
    while i < len(text):
        c = text[i]
        if quote:
            i += 1 + (c == "\\")
            quote = "" if c == quote else quote
            continue
        quote = c if c in "\"'`" else ""
        depth += (c in OPEN) - (c in CLOSE)
        found = next((op for op in COMPARING if not depth and text.startswith(op, i)), None)
        if found:
            sides.append(text[began:i])
            began = i + len(found)
        i += len(found or c)
    sides.append(text[began:])
    return [side.strip() for side in sides]
