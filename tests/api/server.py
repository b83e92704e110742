"""A running `palate serve` for tests: started on a free port in a folder of its own, called,
stopped, killed and started again."""
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import PALATE, clean_environment, fail  # noqa: E402

START_S, STOP_S, CALL_S = 60, 60, 60


class Answer:
    """What a call answered."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Site:
    """A server in `folder`. Use as a context: it is stopped at the end."""

    def __init__(self, folder, *options, env=None, start=True):
        self.folder, self.options, self.env = folder, [str(o) for o in options], env or {}
        self.process, self.port, self.key, self.connection = None, 0, None, None
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
        if kind:
            print(self.log()[-4000:])
            self.kill()
        else:
            self.stop()

    def log(self):
        path = os.path.join(self.folder, "server.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as lines:
            return lines.read()

    def start(self, *more):
        """Starts it and waits for the line that says that it listens."""
        command = [PALATE, "serve", "--listen", "127.0.0.1:0", "--json", "--log", "json",
                   "--no-training", *self.options, *more]
        with open(os.path.join(self.folder, "server.log"), "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            env=clean_environment(**self.env))
        line, began = b"", time.monotonic()
        while not line.endswith(b"\n"):
            left = START_S - (time.monotonic() - began)
            if left < 0 or not select.select([self.process.stdout], [], [], max(left, 0))[0]:
                fail(f"the server said nothing in {START_S} s: {self.log()[-2000:]}")
            got = os.read(self.process.stdout.fileno(), 4096)
            if not got:
                fail(f"the server ended: {self.process.wait(STOP_S)}: {self.log()[-2000:]}")
            line += got
        self.port = json.loads(line)["port"]
        return self

    def beside(self, other):
        """Another caller of a server that runs."""
        self.port, self.key = other.port, other.key
        return self

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def stop(self):
        """SIGTERM; it must end well."""
        self.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_S)
        if self.process:
            self.process.stdout.close()
            status, self.process = self.process.returncode, None
            if status:
                fail(f"the server ended with {status}: {self.log()[-4000:]}")

    def kill(self):
        self.close()
        if self.process:
            self.process.kill()
            self.process.wait(STOP_S)
            self.process.stdout.close()
            self.process = None

    def raw(self, method, path, body=None, headers=None):
        """One call over a kept-alive connection."""
        headers = dict(headers or {})
        if self.key:
            headers["Authorization"] = "Bearer " + self.key
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        for attempt in (0, 1):
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                             timeout=CALL_S)
            fresh = self.connection.sock is None
            try:
                self.connection.request(method, path, body=body, headers=headers)
                got = self.connection.getresponse()
                return Answer(got.status, got.headers, got.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                if fresh or attempt or method != "GET":
                    raise
        return None

    def call(self, method, path, data=None, status=200, **query):
        """A call with a JSON body; its JSON. Fails unless it answers `status`."""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        body = None if data is None else json.dumps(data).encode()
        got = self.raw(method, path, body)
        if got.status != status:
            fail(f"{method} {path} {data}: expected {status}, got {got}\n{self.log()[-2000:]}")
        return got.json

    def get(self, path, status=200, **query):
        return self.call("GET", path, None, status, **query)

    def post(self, path, data, status=200):
        return self.call("POST", path, data, status)

    def put(self, path, data, status=200):
        return self.call("PUT", path, data, status)

    def delete(self, path, status=200):
        return self.call("DELETE", path, None, status)

    def recommend(self, user, **query):
        """The item ids of a user's list."""
        path = f"/v1/users/{urllib.parse.quote(user, safe='')}/recommendations"
        return [item["item_id"] for item in self.get(path, **query)["items"]]

    def wait(self, what, seconds=30):
        """Until what() is true."""
        began = time.monotonic()
        while not what():
            if time.monotonic() - began > seconds:
                fail(f"waited {seconds} s in vain: {self.log()[-2000:]}")
            time.sleep(0.02)
