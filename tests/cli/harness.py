"""What the end-to-end tests share: running the binary in a folder of its own, and counting.

A test is a function whose name begins with test_; run(globals()) in the last line of a file runs
them all and writes the summary that tools/run-tests counts. The first argument is the binary.
"""
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PALATE = os.path.abspath(sys.argv[1])
OTHERS = [os.path.abspath(path) for path in sys.argv[2:]]  # programs that a test needs besides
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIMEOUT_S = 120

# A small world, quick to make and to train on; the same in every test.
WORLD = ["--set", "synth.users=300", "--set", "synth.items=200", "--set", "synth.events=12000"]
# Options that make models quick where it does not matter how good they are.
QUICK = ["--set", "als.factors=8", "--set", "als.epochs=3"]


class Skip(Exception):
    """Says why a test can't be run here."""


class Ended:
    """How a command ended."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def __str__(self):
        words = " ".join(self.args)
        return f"palate {words}\n-> {self.status}\n{self.out}\n--- stderr\n{self.err}"

    @property
    def json(self):
        """The one JSON value that it printed."""
        return json.loads(self.out, parse_constant=lambda word: fail(f"{word} in JSON"))


def fail(message):
    raise AssertionError(message)


def clean_environment(**extra):
    """The environment without what would change palate's mind. No record is kept of runs, which
    would lie wherever a test happens to run; who wants one gives PALATE_TRACK=""."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PALATE_") and k != "NO_COLOR"}
    env.update({"LC_ALL": "C.UTF-8", "TERM": "xterm", "PALATE_TRACK": "none"})
    env.update(extra)
    return env


def palate(*args, status=0, env=None, cwd=None, limit=None):
    """Runs palate; fails unless it ends with `status`. limit: bytes that a file may have."""
    args = [str(a) for a in args]
    command = [PALATE, *args]
    if limit:
        command = ["bash", "-c", f'ulimit -f {limit // 1024}; exec "$@"', "-", *command]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False,
                          cwd=cwd, env=clean_environment(**(env or {})),
                          stdin=subprocess.DEVNULL)
    ended = Ended(args, done.returncode, done.stdout.decode(), done.stderr.decode())
    if status is not None and ended.status != status:
        fail(f"status {ended.status}, expected {status}: {ended}")
    return ended


def refuses(status, *args, says=(), **how):
    """Runs palate, which has to end with `status`, nothing on stdout, and one clear line."""
    ended = palate(*args, status=status, **how)
    lines = ended.err.splitlines()
    if ended.out or len(lines) != 1 or not lines[0].startswith("palate: "):
        fail(f"not one clear line: {ended}")
    for text in [says] if isinstance(says, str) else says:
        if text not in lines[0]:
            fail(f"'{text}' is not in: {ended}")
    return ended


def on_terminal(*args, columns=80, env=None, cwd=None, stop_when=None):
    """Runs palate on a terminal; (status, everything that it wrote). stop_when: bytes on which it
    is sent SIGINT."""
    try:
        master, slave = pty.openpty()
    except OSError:
        raise Skip("no pseudo-terminals here: /dev/pts is not mounted") from None
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([PALATE, *[str(a) for a in args]], stdin=slave, stdout=slave,
                               stderr=slave, cwd=cwd, env=clean_environment(**(env or {})))
    os.close(slave)
    written, began = b"", time.monotonic()
    while time.monotonic() - began < TIMEOUT_S:
        ready, _, _ = select.select([master], [], [], 1)
        try:
            got = os.read(master, 65536) if ready else b""
        except OSError:
            break
        if ready and not got:
            break
        written += got
        if stop_when and stop_when in written:
            process.send_signal(signal.SIGINT)
            stop_when = None
    status = process.wait(timeout=10)
    os.close(master)
    return status, written.decode()


def world(folder, name="world.palate", seed=1):
    """A synthetic world as a file."""
    path = os.path.join(folder, name)
    palate("import", "--synthetic", "--seed", seed, "-o", path, *WORLD)
    return path


def real_data(name):
    """The folder of a real data set, or Skip."""
    for place in [os.environ.get("PALATE_DATA", ""), os.path.join(ROOT, "..", "shared", "data")]:
        path = os.path.join(place, name)
        if place and os.path.isdir(path):
            return path
    raise Skip(f"no {name} in $PALATE_DATA or ../shared/data")


def same(got, expected):
    if got != expected:
        fail(f"got {got!r}, expected {expected!r}")


def run(names):
    """Runs the tests among `names`, each in an empty folder that it is given."""
    passed, failed, skipped = 0, [], []
    for name, test in sorted(names.items()):
        if not name.startswith("test_"):
            continue
        folder = tempfile.mkdtemp(prefix="palate-test-")
        try:
            test(folder)
            passed += 1
        except Skip as why:
            print(f"skipped: {why}")
            skipped.append(name)
        except Exception:  # whatever it is, the other tests still run
            print(f"[  ERROR   ] {name}")
            traceback.print_exc(file=sys.stdout)
            failed.append(name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"[  PASSED  ] {passed} test(s).")
    if skipped:
        print(f"[  SKIPPED ] {len(skipped)} test(s), listed below:")
        for name in skipped:
            print(f"[  SKIPPED ] {name}")
    if failed:
        print(f"[  FAILED  ] {len(failed)} test(s): {', '.join(failed)}")
    sys.exit(1 if failed else 0)
