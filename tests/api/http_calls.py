"""Ordinary requests: what reaches a handler, what comes back, and what is refused politely."""
import concurrent.futures
import gzip
import json
import re
import select
import socket
import struct
import subprocess

from client import SERVER, Server, fail, run, same

JSON = "application/json"


def is_problem(answer, status, code):
    """An application/problem+json of this status and code, with its request's id."""
    same((answer.status, answer.headers["content-type"]), (status, "application/problem+json"))
    problem = answer.json
    same(sorted(problem), ["code", "detail", "request_id", "status", "title", "type"])
    same((problem["status"], problem["code"]), (status, code))
    same(problem["request_id"], answer.headers["x-request-id"])
    if not problem["detail"]:
        fail(f"no detail: {answer}")
    return problem


def test_answers_and_keeps_the_connection(folder):
    with Server() as s, s.connect() as c:
        for _ in range(3):
            answer = c.ask("GET", "/empty")
            same((answer.status, answer.json, answer.closes), (200, {"ok": True}, False))
            same(answer.headers["content-type"], JSON)
        same(c.ask("POST", "/echo", {"a": [1, "é"]}).json, {"a": [1, "é"]})
        same(c.ask("GET", "/later?n=7").json, {"late": "7"})
        same(c.ask("POST", "/later?n=8", {}).json, {"late": "8"})
        same(c.ask("GET", "/text").body, b"0123456789" * 20)


def test_connection_close_and_http_1_0(folder):
    with Server() as s:
        with s.connect() as c:
            same(c.ask("GET", "/empty", Connection="close").closes, True)
            same(c.ended(), True)
        with s.connect() as c:
            c.send("GET /empty HTTP/1.0\r\n\r\n")
            same(c.answer().json, {"ok": True})
            same(c.ended(), True)


def test_pipelined_requests_are_answered_in_order(folder):
    with Server() as s, s.connect() as c:
        c.send("".join(f"GET /later?n={i} HTTP/1.1\r\nHost: x\r\n\r\n"
                       f"GET /items/{i} HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(200)))
        for i in range(200):
            same(c.answer().json, {"late": str(i)})
            same(c.answer().json["id"], str(i))


def test_a_client_that_only_listens_any_more(folder):
    """It has sent its request and closed its half of the connection."""
    with Server() as s:
        for path in ["/text", "/later?n=1", "/large?n=3000000"]:
            with s.connect() as c:
                c.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
                c.sock.shutdown(socket.SHUT_WR)
                same(c.answer().status, 200)


def test_clients_that_leave_while_they_wait(folder):
    with Server() as s:
        waiting = [s.connect() for _ in range(50)]
        for i, c in enumerate(waiting):
            c.send(f"GET /hold?n={i} HTTP/1.1\r\nHost: x\r\n\r\n")
            if i % 2:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.sock.close()  # with a reset
        released = 0
        while released < 25:  # a reset may come before its request was read
            s.order("release")
            released += int(s.line().split()[1])
        for i, c in enumerate(waiting):
            if i % 2 == 0:
                while not select.select([c.sock], [], [], 0)[0]:
                    s.order("release")
                    s.line()
                same(c.answer().json, {"late": str(i)})
                c.sock.close()
        same(s.ask("GET", "/empty").status, 200)


def test_head_has_the_headers_only(folder):
    with Server() as s, s.connect() as c:
        answer = c.ask("HEAD", "/text")
        same((answer.status, answer.headers["content-length"], answer.body), (200, "200", b""))
        same(c.ask("HEAD", "/nowhere").status, 404)
        same(c.ask("GET", "/empty").json, {"ok": True})


def test_paths_are_cut_before_they_are_decoded(folder):
    with Server() as s, s.connect() as c:
        for sent, meant in [("a", "a"), ("a%2Fb", "a/b"), ("%2f", "/"), ("..", ".."),
                            ("a%20b+c", "a b+c"), ("%F0%9F%8E%AC%22'", "\U0001F3AC\"'"),
                            ("%25", "%"), ("caf\xc3\xa9", "café"), ("x" * 256, "x" * 256),
                            ("%3Fa%3Db%26c", "?a=b&c")]:
            same(c.ask("GET", f"/items/{sent}").json["id"], meant)
        for path in ["/items/", "/items/a/", "/items/a/b", "//items/a", "/items//a", "/Items/a",
                     "/x", "/" + "a/" * 30]:
            is_problem(c.ask("GET", path), 404, "no_such_path")
        for path in ["/items/%", "/items/%2", "/items/%zz", "/items/%00", "/items/a%00b",
                     "/items/%ff", "/items/%C0%AF", "/items/%ED%A0%80", "/items/%0A",
                     "/items/%7F", "/items/a?x=%00", "/items/a?%ff=1", "/items/a?x=%4"]:
            is_problem(c.ask("GET", path), 400, "bad_request")


def test_a_literal_goes_before_a_name(folder):
    with Server() as s, s.connect() as c:
        same(c.ask("GET", "/items/search").json["route"], 8)
        same(c.ask("GET", "/items/searching").json["route"], 7)
        same(c.ask("PUT", "/items/search", {}).json["id"], "search")


def test_query_parameters(folder):
    with Server() as s, s.connect() as c:
        told = c.ask("GET", "/items/a?x=1&x=b+c&&x=%26%3D&y&x&z=a=b").json
        same(told["query"], ["x", "x", "x", "y", "x", "z"])
        same(told["x"], ["1", "b c", "&=", ""])
        same(c.ask("GET", "/items/a?").json["query"], [])
        same(c.ask("GET", "/items/a?" + "&".join(["x=1"] * 256)).json["x"], ["1"] * 256)
        is_problem(c.ask("GET", "/items/a?" + "&".join(["x=1"] * 257)), 400, "bad_request")


def test_the_host_may_be_in_the_url(folder):
    with Server() as s:
        head = "Host: here:80\r\n\r\n"
        same(s.send(f"GET http://here:80/items/a?x=1 HTTP/1.1\r\n{head}").json["x"], ["1"])
        same(s.send(f"GET http://there/items/a HTTP/1.1\r\n{head}").status, 400)
        same(s.send(f"GET items/a HTTP/1.1\r\n{head}").status, 400)


def test_wrong_methods(folder):
    with Server() as s, s.connect() as c:
        answer = c.ask("PATCH", "/items/a")
        is_problem(answer, 405, "method_not_allowed")
        same(answer.headers["allow"], "GET, HEAD, PUT, DELETE, OPTIONS")
        for method in ["TRACE", "BREW", "get"]:
            same(c.ask(method, "/echo").headers["allow"], "POST, OPTIONS")
        answer = c.ask("OPTIONS", "/items/a")
        same((answer.status, answer.headers["allow"], answer.body),
             (204, "GET, HEAD, PUT, DELETE, OPTIONS", b""))
        same(c.ask("OPTIONS", "*").status, 204)
        is_problem(c.ask("OPTIONS", "/nowhere"), 404, "no_such_path")


def test_bodies_must_say_what_they_are(folder):
    with Server() as s, s.connect() as c:
        for kind in [JSON, "Application/JSON", JSON + "; charset=utf-8", JSON + ';charset="UTF-8"']:
            same(c.ask("POST", "/echo", b"[]", Content_Type=kind).status, 200)
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jso",
                     "application/jsonx", "", JSON + "; charset=latin-1"]:
            is_problem(c.ask("POST", "/echo", b"[]", Content_Type=kind), 415,
                       "unsupported_media_type")
        is_problem(c.ask("POST", "/echo", b"[]", Content_Encoding="gzip"), 415,
                   "unsupported_encoding")
        c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]")
        is_problem(c.answer(), 415, "unsupported_media_type")
        same(c.ask("POST", "/lines", b"a,b", Content_Type="text/csv").body, b"a,b")
        is_problem(c.ask("POST", "/lines", b"{}"), 415, "unsupported_media_type")
        same(c.ask("POST", "/echo", b"", Content_Type="").status, 200)


def test_bodies_in_chunks(folder):
    head = (f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
            "Transfer-Encoding: chunked\r\n")
    with Server() as s, s.connect() as c:
        c.send(f"{head}\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")
        same(c.answer().json, [1, 2])
        c.send(f"{head}Trailer: X\r\n\r\n2\r\n[]\r\n0\r\nX: 1\r\n\r\n")
        same(c.answer().json, [])
        c.send(head + "\r\n")
        for _ in range(1000):
            c.send("A\r\n" + "1" * 10 + "\r\n")
        c.send("0\r\n\r\n")
        same(c.answer().body, b"1" * 10000)


def test_body_limits(folder):
    with Server() as s:
        with s.connect() as c:
            same(c.ask("POST", "/upload", b"1" * (8 << 20)).json, {"bytes": 8 << 20})
            same(c.ask("PUT", "/items/a", b"1" * 1000).status, 200)
            is_problem(c.ask("PUT", "/items/a", b"1" * 1001), 413, "body_too_large")
            is_problem(c.ask("GET", "/empty", b"1"), 413, "body_too_large")
            is_problem(c.ask("POST", "/nowhere", b"1" * 1000), 404, "no_such_path")
            same(c.ask("GET", "/empty").json, {"ok": True})
        with s.connect() as c:  # too much to be let in and dropped
            c.send(f"PUT /items/a HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
                   "Content-Length: 1000000000000\r\n\r\n")
            answer = c.answer()
            is_problem(answer, 413, "body_too_large")
            same((answer.closes, c.ended()), (True, True))
        with s.connect() as c:  # nobody said how much it would be
            c.send(f"PUT /items/a HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + "1" * 2000 + "\r\n0\r\n\r\n")
            is_problem(c.answer(), 413, "body_too_large")
            same(c.ask("GET", "/empty").json, {"ok": True})


def test_bodies_of_all_requests_have_a_ceiling(folder):
    with Server("body_memory_most=1000000") as s, s.connect() as c:
        answer = c.ask("POST", "/upload", b"1" * (2 << 20))
        is_problem(answer, 503, "busy")
        same(answer.headers["retry-after"], "1")
        for _ in range(20):  # what was taken is given back
            same(c.ask("POST", "/upload", b"1" * 400000).json, {"bytes": 400000})


def test_expect_100_continue(folder):
    head = f"Host: x\r\nContent-Type: {JSON}\r\nExpect: 100-continue\r\n"
    with Server() as s:
        with s.connect() as c:
            c.send(f"POST /echo HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n")
            same(c.answer().status, 100)
            c.send("[]")
            same(c.answer().json, [])
        with s.connect() as c:
            c.send(f"PUT /items/a HTTP/1.1\r\n{head}Content-Length: 2000\r\n\r\n")
            answer = c.answer()
            is_problem(answer, 413, "body_too_large")
            same((answer.closes, c.ended()), (True, True))
        is_problem(s.ask("GET", "/empty", Expect="a-miracle"), 417, "expectation_failed")


def test_heads_have_limits(folder):
    with Server("header_bytes_most=2000", "url_bytes_most=500") as s:
        same(s.ask("GET", "/items/" + "a" * 480).status, 200)
        is_problem(s.ask("GET", "/items/" + "a" * 500), 414, "url_too_long")
        same(s.ask("GET", "/empty", X="a" * 1900).status, 200)
        is_problem(s.ask("GET", "/empty", X="a" * 2000), 431, "headers_too_large")
        # Past what a connection's memory holds it is libmicrohttpd that answers.
        same(s.ask("GET", "/empty", X="a" * 100000).status, 431)
        same(s.ask("GET", "/items/" + "a" * 100000).status, 414)
    with Server() as s:  # what is allowed by default has room in it, in few lines and in many
        same(s.ask("GET", "/empty", X="a" * 7900).status, 200)
        many = {f"X-{i:03}": "a" * 40 for i in range(150)}
        same(s.ask("GET", "/empty", **many).status, 200)


def test_request_ids(folder):
    with Server() as s, s.connect() as c:
        for good in ["a", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "A.b_c:9", "x" * 64]:
            same(c.ask("GET", "/empty", X_Request_Id=good).headers["x-request-id"], good)
        made = set()
        for bad in ["", "a b", "x" * 65, "<b>", 'a"b', "a,b", "é"]:
            made.add(c.ask("GET", "/empty", X_Request_Id=bad).headers["x-request-id"])
        same(len(made), 7)
        for one in made:
            if not re.fullmatch("[0-9a-f]{16}", one):
                fail(f"{one} is no id of ours")
        same(c.ask("GET", "/items/a", X_Request_Id="mine").json["request_id"], "mine")


def test_static_answers_and_their_tags(folder):
    with Server() as s, s.connect() as c:
        answer = c.ask("GET", "/")
        same((answer.status, answer.headers["etag"]), (200, '"v1"'))
        same(answer.headers["content-security-policy"], "default-src 'self'")
        for tags in ['"v1"', 'W/"v1"', '"v0", "v1"', '"v0","v1"', "*"]:
            answer = c.ask("GET", "/", If_None_Match=tags)
            same((answer.status, answer.body, answer.headers["etag"]), (304, b"", '"v1"'))
        for tags in ['"v2"', '"v"', '"v1', "v1", ""]:
            same(c.ask("GET", "/", If_None_Match=tags).status, 200)


def test_compressed_only_to_who_reads_it(folder):
    with Server() as s, s.connect() as c:
        for accepted in ["gzip", "br, gzip", "deflate;q=0.5,GZip;q=0.8", "*", "identity, x-gzip",
                         "gzip;q=0.001"]:
            answer = c.ask("GET", "/gzip", Accept_Encoding=accepted)
            same((answer.headers.get("content-encoding"), answer.headers["vary"],
                  gzip.decompress(answer.body)), ("gzip", "Accept-Encoding", b"{}"))
            same(answer.headers["etag"], 'W/"z"')
        for refused in ["", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "gzipped"]:
            answer = c.ask("GET", "/gzip", Accept_Encoding=refused)
            same((answer.headers.get("content-encoding"), answer.headers["vary"], answer.body),
                 (None, "Accept-Encoding", b"{}"))
        same(c.ask("GET", "/gzip").body, b"{}")
        for tag in ('W/"z"', '"z"'):
            same(c.ask("GET", "/gzip", If_None_Match=tag).status, 304)


def test_errors_are_problems(folder):
    expected = {1: (400, "bad_request"), 2: (400, "bad_request"), 3: (500, "failed"),
                4: (404, "not_found"), 5: (500, "failed"), 6: (503, "out_of_memory"),
                7: (503, "interrupted"), 8: (501, "unsupported"), 9: (503, "busy")}
    with Server() as s, s.connect() as c:
        for st, (status, code) in expected.items():
            answer = c.ask("GET", f"/fail?st={st}")
            same(is_problem(answer, status, code)["detail"], 'it "failed"')
            same(answer.headers.get("retry-after"), "1" if st == 9 else None)


def test_large_answers_arrive_whole(folder):
    with Server() as s, s.connect() as c:
        for n in [0, 1, 16383, 16384, 100000, 20000000]:
            answer = c.ask("GET", f"/large?n={n}")
            same(answer.body, (b"0123456789" * (n // 10 + 1))[:n])


def test_metrics_and_traffic(folder):
    with Server() as s, s.connect() as c:
        for _ in range(5):
            c.ask("GET", "/items/a")
        c.ask("GET", "/fail?st=9")
        c.ask("GET", "/nowhere")
        c.ask("POST", "/echo", b"[1]")
        text = c.ask("GET", "/metrics").body.decode()
        values = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        label = 'route="/items/{id}",method="GET"'
        same(values[f'palate_http_requests_total{{{label},status="200"}}'], 5)
        same(values['palate_http_requests_total{route="/fail",method="GET",status="503"}'], 1)
        same(values['palate_http_requests_total{route="none",method="",status="404"}'], 1)
        same(values[f"palate_http_request_seconds_count{{{label}}}"], 5)
        same(values['palate_http_bytes_total{direction="in"}'], 3)
        buckets = [v for k, v in values.items()
                   if k.startswith(f"palate_http_request_seconds_bucket{{{label}")]
        same((buckets, len(buckets), buckets[-1]), (sorted(buckets), 17, 5))
        for bound in ["0.0001", "0.00025", "0.001", "10", "+Inf"]:
            if f'le="{bound}"' not in text:
                fail(f"no bucket up to {bound}: {text}")
        rows = {row["route"]: row for row in c.ask("GET", "/traffic").json}
        same((rows["/fail"]["requests"], rows["/fail"]["errors"]), (1, 1))
        if not 0 < rows["/empty"]["p50"] + rows["/echo"]["p50"] <= rows["/echo"]["p99"] < 60:
            fail(f"{rows}")


def test_what_the_library_answers_is_counted(folder):
    """What libmicrohttpd refuses by itself is in the metrics and in the log."""
    with Server("access_log=true", log=f"{folder}/log") as s:
        for head, status in [(b"GET /empty\r\n\r\n", 400), (b"GET /empty HTTP/9.9\r\n\r\n", 505),
                             (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
                             (b"GET / HTTP/1.1\r\nA: " + b"a" * 170000 + b"\r\n\r\n", 431),
                             (b"GARBAGE\r\n\r\n", None)]:
            with s.connect() as c:
                try:
                    c.send(head)
                    got = c.more()
                    while c.more():
                        pass
                except (ConnectionResetError, BrokenPipeError):
                    pass
            if status and b"HTTP/1.1 %d " % status not in got:
                fail(f"{head[:40]}: {got[:60]}, not {status}")
        for _ in range(1000):  # a connection's end is seen by a thread of the server
            text = s.ask("GET", "/metrics").body.decode()
            if 'reason="refused"} 5' in text:
                break
        else:
            fail(text)
        for status in (400, 505, 414, 431):
            count = f'requests_total{{route="none",method="",status="{status}"}} 1'
            if count not in text:
                fail(text)
    with open(f"{folder}/log", encoding="utf-8") as log:
        if "can't be read was answered with 431" not in log.read():
            fail("the log says nothing")


def test_the_log_has_a_line_per_request_and_no_secrets(folder):
    keys = f"{folder}/keys"
    with open(keys, "w", encoding="ascii") as f:
        f.write("shop:read:0123456789abcdef\n")
    with Server("access_log=true", f"keys={keys}", log=f"{folder}/log") as s, s.connect() as c:
        c.ask("GET", "/items/u%22?x=hidden", Authorization="Bearer 0123456789abcdef")
        c.ask("GET", "/nowhere", X_Request_Id="mine")
        c.ask("POST", "/echo", b"[1]")
    with open(f"{folder}/log", encoding="utf-8") as f:
        text = f.read()
    lines = [json.loads(line) for line in text.splitlines()]
    same([(x["method"], x["route"], x["path"], x["status"], x["key"]) for x in lines],
         [("GET", "/items/{id}", "/items/u%22", 200, "shop"),
          ("GET", None, "/nowhere", 404, None), ("POST", "/echo", "/echo", 200, None)])
    same((lines[1]["request_id"], lines[2]["bytes_in"], lines[2]["bytes"]), ("mine", 3, 3))
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["time"]):
        fail(lines[0]["time"])
    for secret in ["hidden", "0123456789abcdef", "Bearer"]:
        if secret in text:
            fail(f"'{secret}' is in the log: {text}")


def test_a_thousand_connections(folder):
    with Server("connections_most=1200") as s:
        open_ones = [s.connect() for _ in range(1000)]
        try:
            for i, c in enumerate(open_ones):
                path = f"/later?n={i}" if i % 2 else f"/items/{i}"
                c.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            for i, c in enumerate(open_ones):
                same(c.answer().json["late" if i % 2 else "id"], str(i))
            same("palate_http_connections 1000" in
                 open_ones[0].ask("GET", "/metrics").body.decode(), True)
        finally:
            for c in open_ones:
                c.sock.close()


def test_a_connection_too_many_waits(folder):
    with Server("connections_most=4", "threads=2") as s:
        taken = [s.connect() for _ in range(4)]
        for c in taken:
            same(c.ask("GET", "/empty").status, 200)
        with s.connect() as late:
            late.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
            same(taken[0].ask("GET", "/empty").status, 200)  # nobody is thrown out
            for c in taken:
                c.sock.close()
            same(late.answer().status, 200)


def test_connections_of_one_address(folder):
    with Server("connections_per_ip=3") as s:
        taken = [s.connect() for _ in range(3)]
        for c in taken:
            same(c.ask("GET", "/empty").status, 200)
        with s.connect() as c:
            same(c.ended(), True)
        for c in taken:
            c.sock.close()


def test_many_threads_of_clients(folder):
    def work(number):
        with s.connect() as c:
            for i in range(200):
                same(c.ask("POST", "/echo", {"a": [number, i]}).json, {"a": [number, i]})
                same(c.ask("GET", f"/later?n={i}").json, {"late": str(i)})

    with Server() as s, concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def refused(status, *options, says):
    """The server must not start, and say why in one line."""
    done = subprocess.run([SERVER, *options], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False)
    text = done.stderr.decode()
    same((done.returncode, done.stdout, text.count("\n")), (status, b"", 1))
    for word in [says] if isinstance(says, str) else says:
        if word not in text:
            fail(f"'{word}' is not in {text}")
    return text


def test_where_to_listen(folder):
    refused(2, "listen=0.0.0.0:0", says=["no API keys", "--insecure"])
    refused(2, "listen=[::]:0", says="no API keys")
    for bad in ["", "8080", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
                "::1:80", "[::1]", "[::1:80"]:
        refused(2, f"listen={bad}", says="give HOST:PORT")
    refused(2, "listen=no-such-host.invalid:80", says="can't find the host")
    with Server() as s:
        refused(1, f"listen=127.0.0.1:{s.port}", says="another program listens on")
    for listen in ["0.0.0.0:0", "localhost:0"]:
        with Server(f"listen={listen}", "insecure=1") as s:
            same(s.ask("GET", "/empty").status, 200)


def test_ipv6(folder):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            print("no IPv6 here: only that it is refused clearly")
            refused(1, "listen=[::1]:0", says="can't")
            return
    with Server("listen=[::1]:0") as s:
        with socket.create_connection(("::1", s.port), timeout=60) as sock:
            sock.sendall(b"GET /empty HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
            same(sock.recv(1000).split(b"\r\n")[0], b"HTTP/1.1 200 OK")


if __name__ == "__main__":
    run(globals())
