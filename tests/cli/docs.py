"""Every palate command in README.md and ARCHITECTURE.md works as it is written.

The lines of a file's ```sh blocks that begin with `palate`, `build/palate` or `curl` (after an
optional `$ `) are run by a shell, in their order, in one empty folder in which `palate` is the
binary and each data set that is named (`--data NAME`, `import NAME`) is a small invented world. A
line that ends in a backslash goes on in the next. `make demo` and `palate serve &` start a server,
on a free port in place of 8080, which runs until the next one or the end.
"""
import os
import re
import shlex
import socket
import subprocess
import time
import urllib.request

from harness import PALATE, ROOT, TIMEOUT_S, Skip, clean_environment, fail, run, world

DATA = re.compile(r"(?:--data[ =]|\bimport )([\w./-]+)")


def commands(text):
    """The commands in the text of a Markdown file."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+# .*$", "", line.strip().removeprefix("$ "))
            if re.match(r"((build/)?palate|curl)\b|make demo$", line):
                yield line.removeprefix("build/")


def put_data(folder, command):
    """Makes the data sets that the command reads and that are not there yet."""
    for name in DATA.findall(command):
        path = os.path.join(folder, name)
        if not name.startswith("synthetic") and not name.startswith("-") \
                and not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(world(folder, "made.palate"), path)


class Server:
    """The server that the documents speak of, if one runs."""

    def __init__(self, work, env):
        self.work, self.env, self.process, self.port = work, env, None, 8080

    def start(self, command):
        self.stop()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        words = shlex.split(command.removesuffix("&"))
        words = ["palate", "demo", "--data", "synthetic"] if words[0] == "make" else words
        words += ["--listen", f"127.0.0.1:{self.port}"]
        with open(os.path.join(self.work, "server.log"), "wb") as log:
            self.process = subprocess.Popen([PALATE, *words[1:]], cwd=self.work, env=self.env,
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > TIMEOUT_S:
                with open(os.path.join(self.work, "server.log"), encoding="utf-8") as log:
                    fail(f"`{command}` does not serve: {log.read()[-3000:]}")
            time.sleep(0.05)

    def answers(self):
        try:
            url = f"http://127.0.0.1:{self.port}/health/ready"
            with urllib.request.urlopen(url, timeout=5) as got:
                return got.status == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(TIMEOUT_S)
        self.process = None


def run_one(server, name, command):
    if command == "make demo" or command.endswith("&"):
        server.start(command)
        return
    put_data(server.work, command)
    command = command.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    command = re.sub("^curl -s ", "curl -sSf ", command)
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", command], cwd=server.work,
                          env=server.env, capture_output=True, timeout=TIMEOUT_S, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        fail(f"{name}: `{command}` ends with {done.returncode}:\n{done.stderr.decode()}")


def run_all(folder, name):
    path = os.path.join(ROOT, name)
    if not os.path.exists(path):
        raise Skip(f"there is no {name}")
    with open(path, encoding="utf-8") as f:
        found = list(commands(f.read()))
    if not found:
        raise Skip(f"no palate command in {name}")
    bin_folder, work = os.path.join(folder, "bin"), os.path.join(folder, "work")
    os.mkdir(bin_folder)
    os.mkdir(work)
    os.symlink(PALATE, os.path.join(bin_folder, "palate"))
    env = clean_environment(PATH=bin_folder + os.pathsep + os.environ["PATH"])
    server = Server(work, env)
    try:
        for command in found:
            run_one(server, name, command)
    finally:
        server.stop()


def test_commands_are_found(folder):
    text = "```sh\n$ palate a \\\n  b   # c\nbuild/palate d\nmake\n```\n```\npalate e\n```\n"
    found = list(commands(text))
    if found != ["palate a    b", "palate d"]:
        fail(str(found))


def test_readme(folder):
    run_all(folder, "README.md")


def test_architecture(folder):
    run_all(folder, "ARCHITECTURE.md")


run(globals())
