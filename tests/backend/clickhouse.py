"""A real ClickHouse server, Debian's 18.16 or a newer one (PALATE_TEST_CLICKHOUSE names it)."""
import os
import urllib.error
import urllib.parse
import urllib.request

from server import Server, fail, free_port, need

USER, PASSWORD = "shop", "p@ss:w/ord 1%"


class ClickHouse(Server):
    name = "clickhouse"

    def __init__(self, start=True, settings=""):
        """settings: further XML of the configuration."""
        self.settings, self.tcp_port = settings, free_port()
        self.program = os.environ.get("PALATE_TEST_CLICKHOUSE") or \
            need("clickhouse-server", package="clickhouse-server")
        super().__init__(start)

    def prepare(self):
        new = os.path.basename(self.program) == "clickhouse"
        root = "clickhouse" if new else "yandex"
        with open(self.path("config.xml"), "w", encoding="utf-8") as out:
            out.write(f"""<{root}>
<logger><level>warning</level><console>1</console></logger>
<http_port>{self.port}</http_port><tcp_port>{self.tcp_port}</tcp_port>
<listen_host>{self.host}</listen_host>
<path>{self.folder}/data/</path><tmp_path>{self.folder}/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size>{self.settings}
</{root}>""")
        secret = PASSWORD.replace("&", "&amp;").replace("<", "&lt;")
        place = "<networks><ip>::/0</ip></networks><profile>default</profile>" \
                "<quota>default</quota>"
        with open(self.path("users.xml"), "w", encoding="utf-8") as out:
            out.write(f"""<{root}>
<profiles><default><max_threads>2</max_threads></default></profiles>
<users><default><password></password>{place}</default>
<{USER}><password>{secret}</password>{place}</{USER}></users>
<quotas><default></default></quotas>
</{root}>""")

    def command(self):
        start = [self.program, "server"] if self.program.endswith("/clickhouse") \
            else [self.program]
        return [*start, f"--config-file={self.path('config.xml')}"]

    def ready(self):
        try:
            return self.ask("SELECT 1") == "1"
        except OSError:
            return False

    def ask(self, sql):
        """The answer's text."""
        request = urllib.request.Request(f"http://{self.host}:{self.port}/", sql.encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read().decode().rstrip("\n")
        except urllib.error.HTTPError as e:
            return fail(f"{sql}: {e.read().decode()}")

    def url(self, database, user=None, password=PASSWORD):
        who = f"{user}:{urllib.parse.quote(password, safe='')}@" if user else ""
        return f"clickhouse://{who}{self.host}:{self.port}/{database}"
