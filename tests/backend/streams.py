"""What the tests of streams share: the programs of the contract (tests/unit/bus), told by their
environment where a broker is."""
import os
import re
import subprocess
import threading
import time

from harness import OTHERS, fail

LIMIT_S = 240


def contract(stream, *, only=None, **words):
    """Runs bus-contract (all of it, or the tests whose name matches) against a stream."""
    start = start_contract(stream, only=only, **words)
    end_contract(start)


def start_contract(stream, *, only=None, **words):
    env = {**os.environ, "PALATE_TEST_STREAM": stream,
           **{f"PALATE_TEST_{name.upper()}": str(value) for name, value in words.items()}}
    if only:
        env["PALATE_TEST_ONLY"] = only
    return subprocess.Popen([OTHERS[0]], env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_contract(process):
    try:
        out, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        fail(f"not at its end after {LIMIT_S} s:\n{out}")
    if process.returncode or "[  PASSED  ] 0" in out or "PASSED" not in out:
        fail(f"ended with {process.returncode}:\n{out}")
    return out


class Load:
    """bus-load at work: one side of a stream. Its lines are read as they come."""

    def __init__(self, url, side, count, *words):
        self.lines = []
        self.process = subprocess.Popen([OTHERS[1], url, side, str(count), *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def number(self, name):
        """The newest "NAME 123" that it wrote; 0 before the first."""
        for line in reversed(self.lines):
            if line.startswith(name + " "):
                return float(line[len(name) + 1:].split()[0])
        return 0

    def failures(self):
        return [line for line in self.lines if line.startswith("failed: ")]

    def wait_for(self, name, number):
        end = time.monotonic() + LIMIT_S
        while self.number(name) < number:
            if self.process.poll() is not None or time.monotonic() > end:
                fail(f"'{name} {number}' did not come:\n" + "\n".join(self.lines))
            time.sleep(0.01)

    def end(self, status=0):
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reader.join()
        if self.process.returncode != status:
            fail(f"ended with {self.process.returncode}:\n" + "\n".join(self.lines))
        return self


def killed_in_the_middle(server, url, rests, count):
    """Publishes and receives `count` messages while the broker is killed and started again twice:
    all of them come, in order, and neither side takes much memory. What was confirmed before, in a
    stream that nobody receives (its URL: rests), is there after that."""
    Load(rests, "publish", 20000).end()
    publisher = Load(url, "publish", count, "batch=500")
    receiver = Load(url, "receive", count, "wait=1000")
    for part in (5, 2):
        publisher.wait_for("published", count / part)
        server.kill()
        server.start()
    publisher.end()
    receiver.end()
    for side in (publisher, receiver):
        if not side.failures() or side.number("reconnects") < 1:
            fail("the broker was not missed: " + "\n".join(side.lines))
        if side.number("memory") > 64 << 10:
            fail("more than 64 MB: " + "\n".join(side.lines))
    later = Load(rests, "receive", 20000).end()
    for side, number in ((receiver, count), (later, 20000)):
        if side.number("distinct") != number or side.number("out of order"):
            fail("\n".join(side.lines))


def says(load, *patterns):
    """What it failed with is told so that a person knows what to do."""
    text = "\n".join(load.failures())
    for pattern in patterns:
        if not re.search(pattern, text):
            fail(f"expected '{pattern}' in:\n{text}")
