"""Who may call: keys and rights, origins, TLS."""
import os
import socket
import ssl
import subprocess

from client import Server, fail, run, same
from http_calls import is_problem, refused

READ, WRITE, ADMIN = "read-" + "r" * 16, "write-" + "w" * 16, "admin:" + "a" * 16


def make_keys(folder, text=None):
    path = os.path.join(folder, "keys")
    with open(path, "w", encoding="ascii") as f:
        f.write(text if text is not None else
                f"# who may do what\n\nshop:read:{READ}\r\nimporter:write:{WRITE}\n"
                f"boss:ADMIN:{ADMIN}  \n")
    return path


def make_certificate(folder, name="server"):
    cert, key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                    "-out", cert], check=True, capture_output=True, timeout=60)
    return cert, key


def test_rights(folder):
    """Every key on every right, by both headers."""
    with Server(f"keys={make_keys(folder)}") as s, s.connect() as c:
        for secret, level in [(None, 0), ("wrong" * 5, 0), (READ + "x", 0), (READ[:-1], 0),
                              ("", 0), (READ, 1), (WRITE, 2), (ADMIN, 3)]:
            for needed, method, path in [(0, "GET", "/empty"), (1, "GET", "/items/a"),
                                         (2, "PUT", "/items/a"), (3, "DELETE", "/items/a")]:
                for name, word in [("Authorization", "Bearer "), ("Authorization", "bearer  "),
                                   ("X_API_Key", "")]:
                    headers = {} if secret is None else {name: word + secret}
                    answer = c.ask(method, path, **headers)
                    if level >= needed:
                        same(answer.status, 200)
                    elif level:
                        is_problem(answer, 403, "forbidden")
                    else:
                        is_problem(answer, 401, "unauthorized")
                        same(answer.headers["www-authenticate"], 'Bearer realm="palate"')
        is_problem(c.ask("GET", "/items/a", Authorization=f"Basic {READ}"), 401, "unauthorized")
        # HEAD needs what GET needs; preflights and wrong paths need nothing.
        same(c.ask("HEAD", "/items/a").status, 401)
        same(c.ask("OPTIONS", "/items/a").status, 204)
        same(c.ask("GET", "/nowhere").status, 404)
        # A body that is too large for one who may not send it.
        same(c.ask("PUT", "/items/a", b"1" * 5000).status, 401)
        same(c.ask("GET", "/empty").status, 200)


def test_without_keys_everything_is_open(folder):
    with Server() as s:
        same(s.ask("DELETE", "/items/a").status, 200)
        same(s.ask("DELETE", "/items/a", Authorization="Bearer x").status, 200)


def test_with_keys_it_may_be_reached_from_elsewhere(folder):
    with Server("listen=0.0.0.0:0", f"keys={make_keys(folder)}") as s:
        same(s.ask("GET", "/items/a").status, 401)


def test_bad_files_of_keys(folder):
    secret = "s3cret-s3cret-s3cret"
    for text, says in [("", "no key in it"), ("# nothing\n", "no key in it"),
                       ("shop\n", ":1: write NAME:RIGHT:SECRET"),
                       (f"shop:{secret}\n", ":1: write NAME:RIGHT:SECRET"),
                       (f"\n#\nshop:owner:{secret}\n", ":3: the right is one of"),
                       (f":read:{secret}\n", ":1: a key's name"),
                       (f"a b:read:{secret}\n", ":1: a key's name"),
                       ("shop:read:short-s3cret\n", ":1: a secret is 16 to 256"),
                       (f"shop:read:{secret} {secret}\n", ":1: a secret is 16 to 256"),
                       ("shop:read:" + "x" * 257 + "\n", ":1: a secret is 16 to 256"),
                       (f"a:read:{secret}\na:read:{secret}1\n", ":2: another line has this name"),
                       (f"a:read:{secret}\nb:read:{secret}\n", ":2: another line has this secret")]:
        done = refused(2, f"keys={make_keys(folder, text)}", says=says)
        if "s3cret" in done:
            fail(f"a secret was told: {done}")
    refused(2, f"keys={folder}/none", says=["the file of API keys", "none"])
    refused(2, f"keys={folder}", says="the file of API keys")


def test_cors_is_off_at_first(folder):
    with Server() as s:
        answer = s.ask("GET", "/empty", Origin="https://a.example")
        same([h for h in answer.headers if h.startswith("access-control") or h == "vary"], [])
        answer = s.ask("OPTIONS", "/items/a", Origin="https://a.example",
                       Access_Control_Request_Method="PUT")
        same((answer.status, "access-control-allow-origin" in answer.headers), (204, False))


def test_cors_for_some_origins(folder):
    keys = make_keys(folder)
    with Server("cors=https://a.example,http://b.example:8080", f"keys={keys}") as s, \
            s.connect() as c:
        for origin in ["https://a.example", "http://b.example:8080"]:
            for path, status in [("/empty", 200), ("/items/a", 401), ("/nowhere", 404)]:
                answer = c.ask("GET", path, Origin=origin)
                same((answer.status, answer.headers["access-control-allow-origin"],
                      answer.headers["vary"]), (status, origin, "Origin"))
            answer = c.ask("OPTIONS", "/items/a", Origin=origin,
                           Access_Control_Request_Method="PUT",
                           Access_Control_Request_Headers="content-type")
            same((answer.status, answer.headers["access-control-allow-methods"]),
                 (204, "GET, HEAD, PUT, DELETE, OPTIONS"))
            for name in ["Content-Type", "Authorization"]:
                if name not in answer.headers["access-control-allow-headers"]:
                    fail(str(answer))
        for origin in ["https://a.example.evil", "http://a.example", "https://A.example", "null",
                       "https://a.example:443", ""]:
            for answer in [c.ask("GET", "/empty", Origin=origin),
                           c.ask("OPTIONS", "/items/a", Origin=origin,
                                 Access_Control_Request_Method="PUT")]:
                same([h for h in answer.headers if h.startswith("access-control")], [])
                same(answer.headers["vary"], "Origin")


def test_cors_for_all(folder):
    with Server("cors=*") as s:
        answer = s.ask("GET", "/empty", Origin="https://any.example")
        same(answer.headers["access-control-allow-origin"], "*")
        same("access-control-allow-credentials" in answer.headers, False)


def test_pages_of_other_sites_change_nothing(folder):
    with Server("cors=https://a.example") as s, s.connect() as c:
        for method, site, origin, status in [
                ("POST", "cross-site", "https://evil.example", 403), ("POST", "same-site", "", 403),
                ("DELETE", "cross-site", "https://evil.example", 403),
                ("POST", "cross-site", "https://a.example", 200), ("POST", "same-origin", "x", 200),
                ("POST", "none", "x", 200), ("GET", "cross-site", "https://evil.example", 200)]:
            path = "/echo" if method == "POST" else "/items/a"
            answer = c.ask(method, path, Sec_Fetch_Site=site, Origin=origin)
            same((method, site, origin, answer.status), (method, site, origin, status))
            if status == 403:
                is_problem(answer, 403, "foreign_origin")


def test_names_that_it_does_not_go_by(folder):
    """A page whose name was made to lead here (DNS rebinding) gets nothing."""
    def status(server, host):
        with server.connect() as c:
            c.send(f"GET /empty HTTP/1.1\r\nHost: {host}\r\n\r\n")
            answer = c.answer()
        if answer.status != 200:
            is_problem(answer, 421, "unknown_host")
        return answer.status

    with Server("hosts=a.example,b.example") as s:
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080",
                     "10.0.0.1", "app.localhost", "b.example:80", "A.example"]:
            same((host, status(s, host)), (host, 200))
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "xlocalhost",
                     "127.0.0.1.evil.example", "1.2.3.evil", "example", ".example", "b.exampl"]:
            same((host, status(s, host)), (host, 421))
    for option in [f"keys={make_keys(folder)}", "insecure=1"]:
        with Server(option) as s:
            same(status(s, "evil.example"), 200)


def test_bad_lists_of_origins(folder):
    for bad in ["a.example", "https://", "https://a.example/", "https://a.example,*", ",", "",
                "https://a.example, https://b.example"]:
        refused(2, f"cors={bad}", says="no list of origins")


def test_tls(folder):
    cert, key = make_certificate(folder)
    context = ssl.create_default_context(cafile=cert)
    with Server(f"cert={cert}", f"key={key}") as s:
        with s.connect(tls=context) as c:
            for i in range(5):
                same(c.ask("POST", "/echo", {"i": i}).json, {"i": i})
            same(c.ask("GET", "/later?n=1").json, {"late": "1"})
            body = c.ask("GET", "/large?n=3000000").body
            same(len(body), 3000000)
        with s.connect() as c:  # someone who speaks no TLS
            c.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
            if b"HTTP/1.1 200" in c.more():
                fail("answered without TLS")
        for version, good in [(ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                              (ssl.TLSVersion.TLSv1_1, False)]:
            same((version, speaks(s, cert, version)), (version, good))


def speaks(s, cert, version):
    """Whether the server takes part in a handshake of this version only."""
    context = ssl.create_default_context(cafile=cert)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    raw = socket.create_connection(("127.0.0.1", s.port), timeout=60)
    try:
        with context.wrap_socket(raw, server_hostname="localhost"):
            return True
    except (ssl.SSLError, ConnectionResetError):
        return False
    finally:
        raw.close()


def test_bad_tls_files(folder):
    cert, key = make_certificate(folder)
    _, other = make_certificate(folder, "other")
    junk = os.path.join(folder, "junk")
    with open(junk, "w", encoding="ascii") as f:
        f.write("nothing\n")
    refused(2, f"cert={cert}", says="both a certificate and its key")
    refused(2, f"key={key}", says="both a certificate and its key")
    refused(2, f"cert={cert}", f"key={other}", says=["does not belong to", "server.pem"])
    refused(2, f"cert={cert}", f"key={folder}/none", says=["the TLS key", "none"])
    refused(2, f"cert={folder}/none", f"key={key}", says=["the TLS certificate", "none"])
    refused(2, f"cert={junk}", f"key={key}", says="both must be PEM")
    refused(2, f"cert={cert}", f"key={junk}", says="both must be PEM")


if __name__ == "__main__":
    run(globals())
