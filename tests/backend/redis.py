"""A Redis server. args: further words of its command line; tls: (certificate, key, authority)
files, and then it speaks nothing else; saved: it finds what it had when it is started again."""
import socket

from server import Server, need


class Redis(Server):
    name = "redis"

    def __init__(self, *args, password=None, tls=None, saved=False, start=True):
        self.args, self.password, self.tls, self.saved = args, password, tls, saved
        super().__init__(start)

    @property
    def url(self):
        login = f":{self.password}@" if self.password else ""
        if self.tls:
            return f"rediss://{login}{self.host}:{self.port}/0?ca={self.tls[2]}"
        return f"redis://{login}{self.host}:{self.port}/0"

    def command(self):
        words = [need("redis-server", package="redis-server"), "--dir", self.folder, "--bind",
                 self.host, "--unixsocket", self.path("socket"), "--daemonize", "no"]
        words += ["--appendonly", "yes", "--appendfsync", "always"] if self.saved else \
            ["--save", "", "--appendonly", "no"]
        if self.password:
            words += ["--requirepass", self.password]
        if self.tls:
            words += ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", self.tls[0],
                      "--tls-key-file", self.tls[1], "--tls-auth-clients", "no"]
        else:
            words += ["--port", str(self.port)]
        return words + list(self.args)

    def ready(self):
        try:
            return self.ask("PING") in ("PONG", None)
        except (OSError, ValueError):
            return False

    def ask(self, *words):
        """One command through the socket file, which speaks no TLS; errors are ValueError."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path("socket"))
            stream = s.makefile("rwb")
            if self.password:
                say(stream, "AUTH", self.password)
                answer(stream)
            say(stream, *words)
            return answer(stream)


def say(stream, *words):
    stream.write(b"*%d\r\n" % len(words))
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        stream.write(b"$%d\r\n%s\r\n" % (len(data), data))
    stream.flush()


def answer(stream):
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        raise ValueError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if int(rest) < 0:
            return None
        data = stream.read(int(rest) + 2)[:-2]
        return data.decode("utf-8", "replace")
    if kind == b"*":
        return [answer(stream) for _ in range(max(0, int(rest)))]
    raise OSError(f"not Redis: {line!r}")
