"""Stopping: nothing new is accepted, what was begun is finished, within the time that was said."""
import socket
import ssl
import time

from client import Server, fail, run, same
from http_keys import make_certificate

BODY = "Host: x\r\nContent-Type: application/json\r\n"


def wait_until_closed(port):
    """Returns when nobody can connect any more."""
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except OSError:
            return
        if time.monotonic() > until:
            fail("it still accepts connections")


def hold(s, count):
    """Requests that are suspended when this returns."""
    held = [s.connect() for _ in range(count)]
    for i, c in enumerate(held):
        c.send(f"GET /hold?n={i} HTTP/1.1\r\nHost: x\r\n\r\n")
    return held


def test_requests_under_way_are_finished(folder):
    with Server("stop_seconds=60") as s:
        idle, fresh, half = s.connect(), s.connect(), s.connect()
        same(idle.ask("GET", "/empty").status, 200)
        half.send(f"POST /echo HTTP/1.1\r\n{BODY}Content-Length: 6\r\n"
                  "Expect: 100-continue\r\n\r\n")
        same(half.answer().status, 100)  # so it is under way
        held = hold(s, 20)
        large = s.connect()
        large.send("GET /large?n=30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        first = large.more()
        s.order("stop")
        wait_until_closed(s.port)
        same((idle.ended(), fresh.ended()), (True, True))
        half.send("[1,2]\n")
        answer = half.answer()
        same((answer.json, answer.closes, half.ended()), ([1, 2], True, True))
        large.rest = first
        same(len(large.answer().body), 30000000)
        released = 0
        while released < 20:
            s.order("release")
            released += int(s.line().split()[1])
        for i, c in enumerate(held):
            answer = c.answer()
            same((answer.json, answer.closes, c.ended()), ({"late": str(i)}, True, True))
        same(s.line(), "stopped")


def test_with_tls(folder):
    cert, key = make_certificate(folder)
    context = ssl.create_default_context(cafile=cert)
    with Server("stop_seconds=60", f"cert={cert}", f"key={key}") as s:
        idle, late = s.connect(tls=context), s.connect(tls=context)
        same(idle.ask("GET", "/empty").status, 200)
        late.send("GET /hold?n=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        s.order("stop")
        wait_until_closed(s.port)
        said = "released 0"
        while said == "released 0":  # until it is held
            s.order("release")
            said = s.line()
        same(said, "released 1")
        answer = late.answer()
        same((answer.json, answer.closes, idle.ended()), ({"late": "1"}, True, True))
        idle.sock.close()
        late.sock.close()
        same(s.line(), "stopped")


def test_what_takes_too_long_is_given_up(folder):
    """The handler answers after its request was given up: nothing happens, and nothing breaks."""
    with Server("stop_seconds=0") as s:
        held = hold(s, 20)
        half = s.connect()
        half.send(f"POST /echo HTTP/1.1\r\n{BODY}Content-Length: 6\r\n"
                  "Expect: 100-continue\r\n\r\n")
        same(half.answer().status, 100)
        same(s.ask("GET", "/empty").status, 200)
        s.order("stop")
        same(s.line(), "stopped")
        for c in held + [half]:
            got = b""
            while True:
                more = c.more()
                if not more:
                    break
                got += more
            if got and not got.startswith(b"HTTP/1.1 503"):
                fail(f"{got}")
            c.sock.close()
        s.order("release")
        same(s.line(), "released 20")


def test_stopping_under_load_answers_whole_or_not_at_all(folder):
    for _ in range(5):
        with Server("stop_seconds=60") as s:
            clients = [s.connect() for _ in range(50)]
            for i, c in enumerate(clients):
                path = ["/empty", "/later?n=1", "/items/1", "/large?n=500000"][i % 4]
                c.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            s.order("stop")
            for c in clients:
                answers = 0
                while True:
                    if not c.rest:
                        c.rest = c.more()
                    if not c.rest:
                        break
                    same(c.answer().status, 200)
                    answers += 1
                if answers > 3:
                    fail(f"{answers} answers to 3 requests")
                c.sock.close()
            same(s.line(), "stopped")


def test_a_server_that_did_nothing(folder):
    with Server() as s:
        s.order("stop")
        same(s.line(), "stopped")


if __name__ == "__main__":
    run(globals())
