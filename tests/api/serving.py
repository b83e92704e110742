"""`palate serve` from the command line: mistakes are told before anything is opened, and TLS and
CORS hold what they promise to curl."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import fail, refuses, run, same  # noqa: E402

PAGE = "https://shop.example"


def certificate(folder):
    cert, key = os.path.join(folder, "server.pem"), os.path.join(folder, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                    "-out", cert], check=True, capture_output=True, timeout=60)
    return cert, key


def test_mistakes_come_first(folder):
    """Wrong addresses, keys and certificates are told before a store or journal is there."""
    empty, other = os.path.join(folder, "empty"), os.path.join(folder, "other")
    os.mkdir(empty)
    os.mkdir(other)
    with open(os.path.join(folder, "keys"), "w", encoding="ascii") as keys:
        keys.write("shop:own:short\n")
    with Site(other) as site:
        taken = f"127.0.0.1:{site.port}"
        refuses(1, "serve", "--listen", taken, cwd=empty,
                says="another program listens on " + taken)
        refuses(2, "serve", "--listen", "0.0.0.0:0", cwd=empty, says=["no API keys", "--insecure"])
        refuses(2, "serve", "--listen", "nowhere", cwd=empty, says="nowhere")
        refuses(2, "serve", "--listen", "127.0.0.1:0", "--keys", "../keys", cwd=empty,
                says="keys:1")
        refuses(2, "serve", "--listen", "127.0.0.1:0", "--tls-cert", "../keys", cwd=empty,
                says="both a certificate and its key")
        refuses(2, "serve", "--listen", "127.0.0.1:0", "--model", "alss", cwd=empty,
                says="did you mean 'als'?")
        refuses(2, "serve", "--listen", "127.0.0.1:0", "--model", "als+factor=8", cwd=empty,
                says="did you mean 'factors'?")
        same(os.listdir(empty), [])
        same(site.get("/v1/items")["total"], 0)  # the one that listens is unharmed


def curl(site, cert, path, *options, status=200):
    """Headers in small letters, and the body."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--include", "--max-time", "30",
                           "--cacert", cert, *options, f"https://localhost:{site.port}{path}"],
                          capture_output=True, timeout=60, check=False)
    if done.returncode:
        fail(f"curl {path}: {done.returncode} {done.stderr.decode()}")
    head, body = done.stdout.decode().split("\r\n\r\n", 1)
    lines = head.split("\r\n")
    same(int(lines[0].split(" ")[1]), status)
    return {n.lower(): v for n, v in (line.split(": ", 1) for line in lines[1:])}, body


def test_tls_and_cors(folder):
    cert, key = certificate(folder)
    with Site(folder, "--tls-cert", cert, "--tls-key", key, "--cors", PAGE) as site:
        post = ["--json", '{"user_id":"ann","item_id":"a","type":"like"}']
        head, body = curl(site, cert, "/v1/events", *post)
        same(body, '{"accepted":1}')
        same("access-control-allow-origin" in head, False)
        head, body = curl(site, cert, "/v1/events", *post, "-H", f"Origin: {PAGE}")
        same([body, head["access-control-allow-origin"]], ['{"accepted":1}', PAGE])
        ask = ["-X", "OPTIONS", "-H", f"Origin: {PAGE}",
               "-H", "Access-Control-Request-Method: POST",
               "-H", "Access-Control-Request-Headers: content-type"]
        head, _ = curl(site, cert, "/v1/events", *ask, status=204)
        same(head["access-control-allow-origin"], PAGE)
        same(["POST" in head["access-control-allow-methods"],
              "content-type" in head["access-control-allow-headers"].lower()], [True, True])
        foreign = ["-H", "Origin: https://evil.example", "-H", "Sec-Fetch-Site: cross-site"]
        head, _ = curl(site, cert, "/v1/events", *post, *foreign, status=403)
        same("access-control-allow-origin" in head, False)
        _, body = curl(site, cert, "/v1/users/ann/events")
        same(body.count('"item_id":"a"'), 2)  # and none by the foreign page
        plain = subprocess.run(["curl", "--silent", "--max-time", "30",
                                f"http://localhost:{site.port}/health/live"],
                               capture_output=True, timeout=60, check=False)
        same([plain.returncode != 0, plain.stdout], [True, b""])
        stranger = subprocess.run(["curl", "--silent", "--max-time", "30",
                                   f"https://localhost:{site.port}/health/live"],
                                  capture_output=True, timeout=60, check=False)
        same(stranger.returncode, 60)  # a certificate that curl does not know


run(globals())
