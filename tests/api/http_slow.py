"""Clients that take their time: each kind is dropped at a deadline for the whole of what it does,
even if bytes keep coming, and others are served meanwhile."""
import concurrent.futures
import select
import socket
import ssl
import time

from client import Connection, Server, fail, run, same
from http_keys import make_certificate

LIMIT_S = 60


def trickle(c, data):
    """Sends one byte at a time, with pauses; what came back before the end of the connection."""
    until, got = time.monotonic() + LIMIT_S, b""
    for byte in data:
        try:
            c.send(bytes([byte]))
        except OSError:
            return got
        while select.select([c.sock], [], [], 0.05)[0]:
            more = c.more()
            if not more:
                return got
            got += more
        if time.monotonic() > until:
            fail("never dropped")
    fail("all bytes were taken")


def dropped(s, reason):
    text = s.ask("GET", "/metrics").body.decode()
    line = next(x for x in text.splitlines() if f'reason="{reason}"' in x)
    return int(line.split()[1])


def all_dropped(s, *requests):
    """Each on a connection of its own, all at once: (what is sent first, what then trickles in)."""
    def send(request):
        with s.connect() as c:
            if request[0]:
                c.send(request[0])
            if request[0].endswith(b"\r\n\r\n") and b"GET" in request[0]:
                same(c.answer().status, 200)
            return trickle(c, request[1])

    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        same(list(pool.map(send, requests)), [b""] * len(requests))


def test_a_slow_head(folder):
    with Server("request_seconds=1", "idle_seconds=1") as s:
        all_dropped(s, (b"", b"GET /empty HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 1000),
                    (b"", b"GET /" + b"a" * 10000),
                    # The second request on a connection.
                    (b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 10000))
        same((dropped(s, "slow_request"), dropped(s, "idle")), (2, 1))


def test_a_slow_body(folder):
    head = b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with Server("request_seconds=1") as s:
        all_dropped(s, (b"POST /echo" + head + b"Content-Length: 100000\r\n\r\n", b"1" * 100000),
                    (b"POST /echo" + head + b"Transfer-Encoding: chunked\r\n\r\n",
                     b"1\r\n1\r\n" * 10000),
                    # One that would be refused at its end.
                    (b"POST /nowhere" + head + b"Content-Length: 100000\r\n\r\n", b"1" * 100000))
        same(dropped(s, "slow_request"), 3)


def test_silence(folder):
    with Server("request_seconds=1", "idle_seconds=1") as s:
        with s.connect() as never, s.connect() as once, s.connect() as half:
            same(once.ask("GET", "/empty").status, 200)
            half.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      "Content-Length: 2\r\n\r\n[")
            same((never.ended(), once.ended(), half.ended()), (True, True, True))
        same((dropped(s, "slow_request"), dropped(s, "idle")), (2, 1))


def narrow(port):
    """A connection that can hold little that was not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(LIMIT_S)
    sock.connect(("127.0.0.1", port))
    return Connection(sock)


def test_an_answer_that_nobody_reads(folder):
    with Server("answer_seconds=1") as s, narrow(s.port) as c:
        c.send("GET /large?n=50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until = time.monotonic() + LIMIT_S
        while not dropped(s, "slow_answer"):
            if time.monotonic() > until:
                fail("never dropped")
        got = 0
        while True:
            more = c.more()
            if not more:
                break
            got += len(more)
        if got >= 50000000:
            fail("the answer came whole")


def test_an_answer_that_is_read_steadily_is_not_cut(folder):
    """It takes several times the deadline, but it is taken."""
    total = 40000000
    with Server("answer_seconds=1") as s, narrow(s.port) as c:
        c.send(f"GET /large?n={total} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        began, got = time.monotonic(), 0
        while True:
            if time.monotonic() - began < 3:  # not all at once
                select.select([], [], [], 0.02)
            more = c.more()
            if not more:
                break
            got += len(more)
        if got < total:
            fail(f"cut after {got} bytes")
        same(dropped(s, "slow_answer"), 0)


def test_the_slow_are_in_nobodys_way(folder):
    with Server("request_seconds=30") as s:
        slow = [s.connect() for _ in range(300)]
        for c in slow:
            c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le")
        same(s.ask("GET", "/later?n=1").json, {"late": "1"})
        for c in slow:
            c.send("ngth: 0\r\n\r\n")
        for c in slow:
            same(c.answer().status, 200)
            c.sock.close()


def test_a_handshake_that_never_comes(folder):
    cert, key = make_certificate(folder)
    with Server("request_seconds=1", f"cert={cert}", f"key={key}") as s:
        with s.connect() as c:
            same(c.ended(), True)
        context = ssl.create_default_context(cafile=cert)
        with s.connect(tls=context) as c:
            same(c.ask("GET", "/empty").status, 200)


if __name__ == "__main__":
    run(globals())
