"""Real servers for the tests: each is started on free loopback ports in a temporary folder of its
own, and stopped by its process id. One file per kind of server beside this one says how.

    with Redis() as redis:
        ... redis.url ...
        redis.kill()
        redis.start()
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import Skip, fail  # noqa: E402

START_S, STOP_S = 60, 30


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def need(name, *, folders=(), package=None):
    """The path of a program, looked for in PATH and in folders; skips the test without it."""
    for folder in folders:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    path = shutil.which(name)
    if not path:
        raise Skip(f"no {package or name} here: tools/install-deps --servers")
    return path


class Server:
    """A process with a folder and a port. A kind of server says its command, and when it is ready.
    Ports and folder stay the same when it is started again."""

    name = "server"
    user = None  # who it runs as, where root may not
    net = None   # the network that it is put into (network.py); None = this machine's loopback

    def __init__(self, start=True):
        self.host = self.net.there if self.net else "127.0.0.1"
        self.folder = tempfile.mkdtemp(prefix=f"palate-{self.name}-")
        self.port, self.process = free_port(), None
        try:
            self.prepare()
            if start:
                self.start()
        except BaseException:
            self.close()
            raise

    # What a kind of server says of itself.

    def prepare(self):
        """Writes configuration, makes its data folder: once."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def ready(self):
        """Whether it answers."""
        return listens(self.port, self.host)

    # What all of them can do.

    def as_user(self, command):
        """The command as run by the user that this kind of server wants, if we are root."""
        if not self.user or os.geteuid() != 0:
            return command
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups",
                *command]

    def inside(self, command):
        """The command as run where the server is."""
        return self.net.inside(command) if self.net else command

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as lines:
                return lines.read()
        except OSError:
            return ""

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(self.inside(self.as_user(self.command())),
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment(),
                                            start_new_session=True)
        self.wait_ready()
        return self

    def wait_ready(self):
        began = time.monotonic()
        while not self.ready():
            if self.process.poll() is not None:
                fail(f"{self.name} ended with {self.process.returncode}: {self.log()[-3000:]}")
            if time.monotonic() - began > START_S:
                fail(f"{self.name} is not there after {START_S} s: {self.log()[-3000:]}")
            time.sleep(0.05)

    def signal(self, number):
        """To it and to what it started."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def pause(self):
        """It neither answers nor hangs up: like a network that was cut."""
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        if self.process:
            self.signal(signal.SIGKILL)
            self.process.wait(STOP_S)
            self.process = None

    def stop(self):
        if not self.process:
            return
        self.go_on()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and not issubclass(kind, Skip):
            print(f"--- {self.name}:", self.log()[-2000:], sep="\n")
        self.close()
