"""A real PostgreSQL: a cluster of its own, listening on the loopback and on a socket in its folder.
Everything is as a careful site would have it (fsync is on), but for who may come in: the owner
without a password, the user `locked` only with the password that is given here."""
import glob
import os
import shutil
import subprocess

from server import Server, fail, need

OWNER, LOCKED, PASSWORD = "palate", "locked", "o@pen:se/same 100%"


class Postgres(Server):
    name = "postgres"
    user = "postgres"

    def __init__(self, start=True, settings=(), data=None):
        """settings: further lines of postgresql.conf; data: another folder for the cluster."""
        self.settings, self.data = settings, data
        super().__init__(start)

    def program(self, name):
        return need(name, folders=sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True),
                    package="postgresql")

    def prepare(self):
        initdb = self.program("initdb")
        self.data = self.data or self.path("data")
        os.chmod(self.folder, 0o755)
        os.makedirs(self.data, exist_ok=True)
        open(self.path("log"), "ab").close()
        if os.geteuid() == 0:
            for path in self.folder, self.data, self.path("log"):
                shutil.chown(path, self.user, self.user)
        os.chmod(self.data, 0o700)
        made = subprocess.run(self.as_user([initdb, "-D", self.data, "-U", OWNER, "--auth=trust",
                                            "-E", "UTF8", "--locale=C", "--no-sync"]),
                              capture_output=True, text=True, check=False, cwd=self.folder)
        if made.returncode:
            fail(f"initdb: {made.stdout}{made.stderr}")
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as lines:
            lines.write("host all locked all scram-sha-256\nlocal all all trust\n"
                        "host all all all trust\n")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as lines:
            lines.write("\n".join(["shared_buffers = 32MB", "max_connections = 100",
                                   "lc_messages = 'C'", "fsync = on", *self.settings, ""]))

    def command(self):
        return [self.program("postgres"), "-D", self.data, "-p", str(self.port), "-k", self.folder,
                "-c", f"listen_addresses={self.host}"]

    def ready(self):
        return not self.psql("SELECT 1", database="postgres", check=False).returncode

    def start(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")) and not self.process:
            os.unlink(os.path.join(self.data, "postmaster.pid"))  # of one that was killed
        return super().start()

    def psql(self, sql, database="postgres", user=OWNER, check=True):
        done = subprocess.run([shutil.which("psql") or self.program("psql"), "-X", "-q", "-t", "-A",
                               "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port),
                               "-U", user, "-d", database, "-c", sql],
                              capture_output=True, text=True, check=False)
        if check and done.returncode:
            fail(f"psql {sql}: {done.stderr}")
        return done

    def ask(self, sql, database="postgres"):
        """The answer's text."""
        return self.psql(sql, database).stdout.strip()

    def url(self, rest="", user=OWNER):
        """Of a store in the database `postgres`; rest: such as "?schema=mine"."""
        return f"postgres://{user}@{self.host}:{self.port}/postgres{rest}"
