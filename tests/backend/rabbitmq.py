"""A real RabbitMQ broker for the tests: see server.py. One node with an epmd of its own, which goes
on when the broker is killed, as it does on a real machine."""
import os
import socket
import subprocess

from server import Server, free_port, listens, need

FOLDERS = ["/usr/lib/rabbitmq/bin"]  # what lies in PATH changes the user
USER, PASSWORD = "palate", "s3cret/word"


class RabbitMQ(Server):
    name = "rabbitmq"

    def __init__(self, tls=None, **how):
        """tls: (certificate, key), files: then self.tls_port is served with it."""
        self.tls, self.epmd = tls, None
        super().__init__(**how)

    def prepare(self):
        self.program = need("rabbitmq-server", folders=FOLDERS)
        self.tls_port, self.epmd_port, self.dist_port = free_port(), free_port(), free_port()
        lines = [f"listeners.tcp.1 = {self.host}:{self.port}", f"default_user = {USER}",
                 f"default_pass = {PASSWORD}", "disk_free_limit.absolute = 50MB",
                 "log.console = true", "log.file = false", "log.console.level = info"]
        if self.tls:
            lines += [f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                      f"ssl_options.certfile = {self.tls[0]}",
                      f"ssl_options.keyfile = {self.tls[1]}"]
        self.write("rabbitmq.conf", "\n".join(lines) + "\n")
        self.write("plugins", "[].\n")
        self.write(".erlang.cookie", "ONLYFORTESTS")
        os.chmod(self.path(".erlang.cookie"), 0o400)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def environment(self):
        return {**os.environ, "HOME": self.folder, "ERL_EPMD_PORT": str(self.epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": "rabbit@localhost",
                "RABBITMQ_DIST_PORT": str(self.dist_port), "RABBITMQ_LOGS": "-",
                "RABBITMQ_CONFIG_FILE": self.path("rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": self.path("plugins"),
                "RABBITMQ_MNESIA_BASE": self.path("mnesia"),
                "RABBITMQ_LOG_BASE": self.path("logs"),
                "RABBITMQ_PID_FILE": self.path("pid"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none"}

    def command(self):
        if not self.epmd:
            words = [need("epmd"), "-port", str(self.epmd_port), "-address", "127.0.0.1"]
            self.epmd = subprocess.Popen(self.inside(words), env=self.environment(),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        return [self.program]

    def ready(self):
        """Whether it answers in its protocol."""
        if not listens(self.port, self.host):
            return False
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as s:
                s.sendall(b"AMQP\x00\x00\x09\x01")
                return s.recv(1) == b"\x01"
        except OSError:
            return False

    def ctl(self, *words):
        """rabbitmqctl; takes one to two seconds."""
        done = subprocess.run(self.inside([need("rabbitmqctl", folders=FOLDERS), *words]),
                              check=True,
                              timeout=60, env=self.environment(), capture_output=True, text=True)
        return done.stdout

    def url(self, name="NAME", user=USER, password=PASSWORD, query="", host=None):
        word = password.replace("/", "%2F")
        return f"amqp://{user}:{word}@{host or self.host}:{self.port}/?queue={name}{query}"

    def close(self):
        super().close()
        if self.epmd:
            self.epmd.kill()
            self.epmd.wait()
            self.epmd = None
