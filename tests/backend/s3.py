"""A MinIO server, which speaks S3, and a small client to look into its buckets and damage them.

tools/install-deps --servers builds it; PALATE_TEST_MINIO names another one."""
import glob
import hashlib
import hmac
import http.client
import os
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, free_port, listens  # noqa: E402
from harness import Skip, fail  # noqa: E402

KEY, SECRET, REGION = "palate-test", "palate-secret", "us-east-1"


def program():
    """The newest that was built."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = sorted(glob.glob(os.path.join(cache, "palate", "servers", "minio-*")))
    path = os.environ.get("PALATE_TEST_MINIO") or (found and found[-1])
    if not path:
        raise Skip("no S3 server here: tools/install-deps --servers (it needs go)")
    return path


class S3(Server):
    name = "s3"

    def __init__(self, start=True):
        self.program = program()
        super().__init__(start)

    def prepare(self):
        os.mkdir(self.path("data"))

    def command(self):
        return [self.program, "server", self.path("data"), "--quiet",
                "--address", f"{self.host}:{self.port}",
                "--console-address", f"127.0.0.1:{free_port()}"]

    def environment(self):
        return dict(os.environ, MINIO_ROOT_USER=KEY, MINIO_ROOT_PASSWORD=SECRET,
                    MINIO_BROWSER="off", MINIO_UPDATE="off", GOMAXPROCS="2", HOME=self.folder)

    def ready(self):
        if not listens(self.port, self.host):
            return False
        try:
            return self.call("GET", "/")[0] == 200
        except OSError:
            return False

    @property
    def endpoint(self):
        return f"http://{self.host}:{self.port}"

    def env(self, cache, **more):
        """What palate needs to get at it; copies lie in `cache`."""
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": self.endpoint, "PALATE_MODELS_CACHE": cache, **more}

    # A client of our own: Signature Version 4 by the book.

    def call(self, method, path, body=b"", query=""):
        """(status, body); path is escaped already."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host, digest = f"{self.host}:{self.port}", hashlib.sha256(body).hexdigest()
        canonical = (f"{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{digest}\n"
                     f"x-amz-date:{now}\n\nhost;x-amz-content-sha256;x-amz-date\n{digest}")
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + SECRET.encode()
        for part in (now[:8], REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request(method, path + ("?" + query if query else ""), body, {
            "Host": host, "x-amz-date": now, "x-amz-content-sha256": digest,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, "
                             "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                             f"Signature={signature}"})
        answer = connection.getresponse()
        status, data = answer.status, answer.read()
        connection.close()
        return status, data

    def good(self, method, path, body=b"", query=""):
        status, data = self.call(method, path, body, query)
        if status not in (200, 204):
            fail(f"{method} {path}: {status} {data[:500]!r}")
        return data

    def make_bucket(self, name):
        self.good("PUT", "/" + name)

    def get(self, bucket, key):
        """The object's bytes; None if there is none."""
        status, data = self.call("GET", f"/{bucket}/" + urllib.parse.quote(key))
        return data if status == 200 else None

    def put(self, bucket, key, data):
        self.good("PUT", f"/{bucket}/" + urllib.parse.quote(key), data)

    def delete(self, bucket, key):
        self.good("DELETE", f"/{bucket}/" + urllib.parse.quote(key))


class Wire:
    """A way to the server that ends when `most` bytes went up through it: then on_end is called,
    and from then on nobody gets through."""

    def __init__(self, port, most, on_end):
        self.to, self.left, self.on_end = port, most, on_end
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port, self.open, self.ended = self.door.getsockname()[1], [], False
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.ended:
            try:
                near = self.door.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.open += [near, far]
            threading.Thread(target=self.carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, False), daemon=True).start()

    def carry(self, near, far, up):
        try:
            while data := near.recv(4096):
                if up:
                    with self.lock:
                        self.left -= len(data)
                        if self.left < 0:
                            self.end()
                            return
                far.sendall(data)
        except OSError:
            pass
        for s in (near, far):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        if self.ended:
            return
        self.ended = True
        self.on_end()
        for s in [self.door, *self.open]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
