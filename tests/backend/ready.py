"""Whether a process says that it is ready by what its role needs, and waits at the start for a
store that is not there yet."""
import json
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres import Postgres  # noqa: E402
from running import Site  # noqa: E402
from health import comes, health  # noqa: E402
from server import free_port  # noqa: E402
from harness import refuses, run, same  # noqa: E402

EVENTS = [{"user_id": "u", "item_id": "a", "type": "view"}] * 200


def away():
    return f"postgres://palate@127.0.0.1:{free_port()}/postgres"


class Starting:
    """A site that begins to start, and waits for something."""

    def __init__(self, folder, *words):
        self.site = Site(folder, *words, start=False)
        self.thread = threading.Thread(target=self.start, daemon=True)
        self.failure = None
        self.thread.start()
        self.site.wait(lambda: "waits for it" in self.site.log())
        self.site.port = int(re.search(r"127.0.0.1:(\d+) waits for it", self.site.log())[1])

    def start(self):
        try:
            self.site.start()
        except AssertionError as failure:
            self.failure = failure

    def end(self):
        """How the process ended."""
        self.thread.join(60)
        assert self.failure and "the server ended" in str(self.failure), self.failure
        self.site.close()
        self.site.process.stdout.close()
        return self.site.process.returncode


def test_it_waits_for_the_store(folder):
    postgres = Postgres(start=False)
    with postgres:
        starting = Starting(folder, "--store", postgres.url())
        site = starting.site
        same((site.get("/health/live"), health(site)), ({"status": "live"}, "starting"))
        for method, path in [("GET", "/v1/popular"), ("POST", "/v1/events"), ("GET", "/metrics"),
                             ("GET", "/v1/status"), ("POST", "/v1/train")]:
            same(site.call(method, path, {} if method == "POST" else None, 503)["code"], "starting")
        same(site.raw("GET", "/v1/popular").headers["Retry-After"], "1")
        same(site.raw("GET", "/").status, 200)
        postgres.start()
        starting.thread.join(60)
        same((starting.failure, health(site)), (None, "ready"))
        same(site.log().count('"level":"warning"'), 1)
        site.post("/v1/items", [{"item_id": "a"}])
        same(len(site.get("/v1/items")["items"]), 1)
        site.stop()


def test_it_waits_no_longer_than_told(folder):
    began = time.monotonic()
    refuses(1, "serve", "--listen", "127.0.0.1:0", "--store", away(), "--wait", "0", cwd=folder,
            says=["Connection refused", "is PostgreSQL running there?"])
    assert time.monotonic() - began < 10
    starting = Starting(folder, "--store", away(), "--wait", "2")
    same(starting.end(), 1)
    for command in ["train", "import", "export"]:  # work that is asked for fails at once
        more = ["--synthetic"] if command == "import" else []
        began = time.monotonic()
        refuses(1, command, "--store", away(), *more, cwd=folder, says="Connection refused")
        assert time.monotonic() - began < 10


def test_it_is_stopped_while_it_waits(folder):
    starting = Starting(folder, "--store", away())
    began = time.monotonic()
    starting.site.process.send_signal(signal.SIGTERM)
    same(starting.end(), 0)
    assert time.monotonic() - began < 10


def test_a_collector_with_a_stream_needs_nobody(folder):
    """Neither store nor broker is there: it takes in, until its journal is full."""
    with Site(folder, "--role", "collector", "--store", away(), "--stream",
              f"amqp://127.0.0.1:{free_port()}/", "--set", "journal.most_bytes=1048576", "--set",
              "journal.segment_bytes=65536") as site:
        same(health(site), ["degraded", "stream"])
        accepted = 0
        while site.raw("POST", "/v1/events", json.dumps(EVENTS)).status == 200:
            accepted += 1
        assert accepted > 10, accepted
        same(site.call("POST", "/v1/events", EVENTS, 503)["code"], "busy")
        while site.raw("POST", "/v1/events", json.dumps(EVENTS[:5])).status == 200:
            accepted += 1
        comes(site, "journal_full")


run(globals())
