"""What the tests of HTTP share: a server that ends with its test, and a client that sends bytes as
they are and reads answers strictly."""
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import PALATE as SERVER, fail, run, same  # noqa: E402,F401

DEADLINE_S = 60


class Server:
    """The echo server with options ("name=value"), ended with the block that it is made for."""

    def __init__(self, *options, log=None):
        self.options, self.log = options, log

    def __enter__(self):
        err = open(self.log, "wb") if self.log else None
        self.process = subprocess.Popen([SERVER, *self.options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=err, bufsize=0)
        if err:
            err.close()
        self.read = b""
        self.port = int(self.line().split()[1])
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        try:
            status = self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "none: it did not stop"
        self.process.stdout.close()
        if kind is None:
            same(status, 0)

    def line(self):
        """The next line that it prints."""
        until = time.monotonic() + DEADLINE_S
        while b"\n" not in self.read:
            ready, _, _ = select.select([self.process.stdout], [], [], until - time.monotonic())
            got = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not got:
                fail(f"the server said nothing more than {self.read}")
            self.read += got
        line, self.read = self.read.split(b"\n", 1)
        return line.decode()

    def order(self, word):
        self.process.stdin.write(word.encode() + b"\n")

    def connect(self, tls=None, timeout=DEADLINE_S):
        """An open connection. tls: a client's ssl.SSLContext."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(tls.wrap_socket(raw, server_hostname="localhost") if tls else raw)

    def send(self, data):
        """One answer to bytes on a connection of their own."""
        with self.connect() as c:
            c.send(data)
            return c.answer()

    def ask(self, method, path, body=None, **headers):
        """One request of the ordinary kind. Headers: underscores stand for dashes."""
        with self.connect() as c:
            return c.ask(method, path, body, **headers)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __str__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Connection:
    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def ask(self, method, path, body=None, **headers):
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content_Type", "application/json")
            head += f"Content-Length: {len(body)}\r\n"
        for name, value in headers.items():
            head += f"{name.replace('_', '-')}: {value}\r\n"
        self.send(head.encode("latin-1") + b"\r\n" + (body or b""))
        return self.answer(method)

    def more(self):
        """Bytes, or b"" where the connection has ended, however it did."""
        try:
            return self.sock.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    def ended(self):
        """Whether nothing comes any more but the end."""
        return self.rest == b"" and self.more() == b""

    def answer(self, method="GET"):
        """The next answer, which must be whole and framed by its Content-Length."""
        while b"\r\n\r\n" not in self.rest:
            got = self.more()
            if not got:
                fail(f"the connection ended in a head: {self.rest[:300]!r}")
            self.rest += got
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        same(version, "HTTP/1.1")
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            if name.lower() in headers:
                fail(f"header {name} twice: {head!r}")
            headers[name.lower()] = value.strip()
        if status == "100":
            return Answer(100, headers, b"")
        length = int(headers.get("content-length", 0))
        if method == "HEAD" or status in ("204", "304"):
            length = 0
        while len(self.rest) < length:
            got = self.more()
            if not got:
                fail(f"the connection ended in a body: {len(self.rest)} of {length} bytes")
            self.rest += got
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answer(int(status), headers, body)
