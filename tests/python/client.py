"""palate.Client against a running server, and against one that fails as servers do."""
import http.server
import json
import os
import subprocess
import sys
import threading

from numpied import ROOT, raises
from harness import fail, run, same
from server import Site
from palate import ApiError, Client, Unreachable

FILMS = [{"item_id": f"i{i}", "title": f"Film {i}", "categories": ["Drama", "Comedy"][i % 2:]}
         for i in range(30)]


def client_of(site, **more):
    return Client(f"http://127.0.0.1:{site.port}", **more)


def test_calls(folder):
    with Site(folder) as site, client_of(site) as client:
        same(client.ready(), True)
        same(client.put_items(FILMS), 30)
        same(client.item("i3")["title"], "Film 3")
        same(client.add_events({"user_id": f"u{i % 9}", "item_id": f"i{i * 7 % 30}"}
                               for i in range(200)), 200)
        client.add_event("me/you & all", "i4")
        client.add_event(17, "i5", "rating", 4.5, timestamp="2024-05-06")
        same(client.events(17)["events"][0]["value"], 4.5)
        answer = client.recommend("me/you & all", n=5, exclude=["i1", "i2"], explain=True,
                                  filter='categories has "Comedy"')
        ids = [item["item_id"] for item in answer["items"]]
        same((len(ids), {"i1", "i2", "i4"} & set(ids)), (5, set()))
        for item in client.recommend("u1", details=True)["items"]:
            same("categories" in item, True)
        same(len(client.recommend_for(["i1", {"item_id": "i2", "type": "dislike"}], n=4)["items"]),
             4)
        same([i["item_id"] for i in client.rank(["i9"], user_id="u1")["items"]], ["i9"])
        same(len(client.popular(3)["items"]), 3)
        same([i["item_id"] for i in client.items(search="Film 12")["items"]], ["i12"])
        same(len(list(client.all_items())), 30)
        same(len(list(client.all_events("u0"))), sum(i % 9 == 0 for i in range(200)))
        client.put_user("u0", {"age": 30})
        same(client.user("u0")["attributes"], {"age": 30})
        same(len(client.user("u0", export=True)["events"]), 23)
        same(client.delete_user("u0"), True)
        same(client.delete_item("i9"), True)
        same(client.models()["versions"], [])
        same(client.training()["state"], "idle")
        same(client.status() != {}, True)
        same(client.stats() != {}, True)


def test_similar_and_trending(folder):
    with Site(folder) as site, client_of(site) as client:
        client.put_items(FILMS)
        client.add_events({"user_id": f"u{i % 9}", "item_id": f"i{i * 7 % 30}"}
                          for i in range(200))
        same(len(client.trending(3)["items"]), 3)
        why = raises(ApiError, client.similar, "none")
        same((why.status, why.code), (404, "not_found"))


def test_problems(folder):
    with Site(folder) as site, client_of(site) as client:
        why = raises(ApiError, client.item, "none")
        same((why.status, why.problem["status"]), (404, 404))
        same(bool(why.code and why.detail), True)
        why = raises(ApiError, client.recommend, "u", filter="year >>> 3")
        same((why.status, "filter" in why.detail), (400, True))
        same(raises(ApiError, client.add_events, [{"user_id": "u"}]).status, 400)
        same(raises(ApiError, client.activate, 99).status, 404)
    raises(Unreachable, client_of(site, retries=0).popular, says="no answer")
    same(client_of(site).ready(), False)
    raises(ValueError, Client, "ftp://somewhere")


def test_ids_are_counted_once(folder):
    with Site(folder) as site, client_of(site) as client:
        event = {"user_id": "u", "item_id": "i", "event_id": "once"}
        for _ in range(3):
            client.add_events([event])
        same(len(client.events("u")["events"]), 1)
        client.add_events([{"user_id": "u", "item_id": "i"}] * 3)  # three times, meant so
        same(len(client.events("u")["events"]), 4)


def test_many(folder):
    with Site(folder) as site, client_of(site) as client:
        same(client.add_events({"user_id": f"u{i % 50}", "item_id": f"i{i % 300}"}
                               for i in range(10003)), 10003)
        same(len(list(client.all_events("u3"))), 200 + (10003 % 50 > 3))


class Failing(http.server.BaseHTTPRequestHandler):
    """Does what `script` says, one word a request, and writes down what came."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_words):
        """Silence."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.came.append((self.path, body, self.client_address[1],
                                 self.headers["Authorization"]))
        word = self.server.script.pop(0) if self.server.script else "ok"
        if word == "drop":  # the request was read, no answer comes
            self.close_connection = True
            return
        status, text = {"ok": (200, b'{"accepted":1}'), "busy": (503, b'{"code":"busy"}'),
                        "html": (502, b"<html>")}[word]
        self.send_response(status)
        if word == "busy":
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST


class Failures:
    """A server that fails by a script; use as a context."""

    def __init__(self, *script):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
        self.server.script, self.server.came = list(script), []
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_why):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def came(self):
        return self.server.came


def test_retries(_folder):
    with Failures("drop", "busy", "ok") as site, client_of(site) as client:
        same(client.add_events([{"user_id": "u", "item_id": "i"}]), 1)
        same(len(site.came), 3)
        ids = {json.loads(body)["events"][0]["event_id"] for _, body, *_ in site.came}
        same(len(ids), 1)  # one and the same event, each time


def test_what_is_not_tried_again(_folder):
    with Failures("drop") as site, client_of(site) as client:
        raises(Unreachable, client.train)
        same(len(site.came), 1)
    with Failures("html") as site, client_of(site) as client:
        why = raises(ApiError, client.popular)
        same((why.status, why.detail, len(site.came)), (502, "<html>", 1))
    with Failures(*["busy"] * 9) as site, client_of(site, retries=2) as client:
        same(raises(ApiError, client.popular).status, 503)
        same(len(site.came), 3)


def test_connections_are_kept(_folder):
    with Failures() as site, client_of(site) as client:
        for _ in range(5):
            client.add_events([{"user_id": "u", "item_id": "i"}])
        same(len({port for _, _, port, _ in site.came}), 1)


def test_key(_folder):
    with Failures() as site, client_of(site, key="secret") as client:
        client.add_event("u", "i")
        same([key for *_, key in site.came], ["Bearer secret"])


def test_threads(folder):
    with Site(folder) as site, client_of(site) as client:
        failures = []

        def work(number):
            try:
                for i in range(20):
                    client.add_event(f"t{number}", f"i{i}")
                client.close()
            except Exception as why:  # told below
                failures.append(why)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            fail(str(failures))
        for number in range(4):
            same(len(client.events(f"t{number}")["events"]), 20)


def test_needs_no_numpy(_folder):
    """The client alone loads neither NumPy nor the library."""
    program = ("import sys; import palate; palate.Client('http://127.0.0.1:1'); "
               "print('numpy' in sys.modules, 'ctypes' in sys.modules)")
    env = {"PYTHONPATH": os.path.join(ROOT, "clients", "python"), "PYTHONDONTWRITEBYTECODE": "1",
           "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True,
                          timeout=60, check=True)
    same(done.stdout.strip(), "False False")


run(globals())
