"""deploy/loki: real lines of palate go through Promtail's own stages, as promtail.yml has them, and
through a whole Promtail into a whole Loki where these are there ($PALATE_TEST_PROMTAIL,
$PALATE_TEST_LOKI or in PATH; they take too long to build for a test)."""
import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

from deploy_parts import DEPLOY, go_program
from running import Site
from server import Server, Skip, fail, free_port
from harness import run, same

PROMTAIL = os.path.join(DEPLOY, "loki", "promtail.yml")
LOKI = os.path.join(DEPLOY, "loki", "loki.yml")
ARRIVE_S = 90


def lines_of_palate(folder):
    """A server's log with requests that went well and did not, probes, and a warning."""
    options = ["--set", "http.access_log=true"]
    with Site(folder, *options) as site:
        site.post("/v1/events", {"user_id": "u", "item_id": "x"})
        site.kill()
        segment = max(glob.glob(os.path.join(folder, "palate.db-journal.d", "*.journal")))
        with open(segment, "ab") as f:
            f.write(b"torn")
        site.start()
        for path in ["/health/ready", "/health/live", "/metrics", "/v1/popular"]:
            site.raw("GET", path)
        site.post("/v1/events", {"user_id": "u"}, 400)
        site.recommend("u \"quoted\"\\")
    return site.log()


def test_stages(folder):
    text = lines_of_palate(folder)
    lines = [json.loads(line) for line in text.splitlines()]
    same({line["level"] for line in lines}, {"info", "warning"})
    probes = [line for line in lines if re.match("/health|/metrics", line.get("route", ""))]
    same(len(probes), 3)
    program = go_program("promtail")
    done = subprocess.run([program, PROMTAIL], input="not ours\n" + text, capture_output=True,
                          text=True, timeout=60, check=False)
    same((done.returncode, done.stderr), (0, ""))
    got = [json.loads(line) for line in done.stdout.splitlines()]
    same((got[0]["line"], got[0]["labels"]), ("not ours", {}))
    kept = [line for line in lines if line not in probes]
    same([json.loads(x["line"]) for x in got[1:]], kept)
    for x, line in zip(got[1:], kept):
        labels = {key: line[key] for key in ("level", "event") if key in line}
        same(x["labels"], labels)
        at = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
        same(x["time"], round(at.timestamp() * 1000))


class Loki(Server):
    name = "loki"

    def prepare(self):
        with open(LOKI, encoding="utf-8") as f:
            text = f.read()
        for name, value in [("/loki", self.folder), ("3100", self.port), ("9096", free_port())]:
            same(name in text, True)
            text = text.replace(name, str(value))
        with open(self.path("loki.yml"), "w", encoding="utf-8") as f:
            f.write(text)

    def command(self):
        return [program_of("loki"), "-config.file=" + self.path("loki.yml")]

    def ready(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5).close()
            return True
        except OSError:
            return False


class Promtail(Server):
    name = "promtail"

    def __init__(self, log, loki):
        self.source, self.loki = log, loki
        super().__init__()

    def prepare(self):
        """As deployed, but that lines come from a file."""
        with open(PROMTAIL, encoding="utf-8") as f:
            text = f.read()
        head, stages_text = text.split("    pipeline_stages: &palate\n")
        head = head.split("    docker_sd_configs:\n")[0]
        head = head.replace("/var/lib/promtail", self.folder).replace("loki:3100",
                                                                       f"127.0.0.1:{self.loki}")
        head = head.replace("9080", str(self.port))
        labels = {"job": "palate", "component": "palate", "__path__": self.source}
        static = "    static_configs: " + json.dumps([{"targets": ["localhost"],
                                                       "labels": labels}]) + "\n"
        with open(self.path("promtail.yml"), "w", encoding="utf-8") as f:
            f.write(head + static + "    pipeline_stages:\n"
                    + stages_text.split("\n  # palate under systemd")[0])

    def command(self):
        return [program_of("promtail"), "-config.file=" + self.path("promtail.yml")]


def program_of(name):
    path = os.environ.get("PALATE_TEST_" + name.upper()) or shutil.which(name)
    if not path:
        raise Skip(f"no {name} here")
    return path


def ask(port, query):
    url = f"http://127.0.0.1:{port}/loki/api/v1/query_range?"
    with urllib.request.urlopen(url + urllib.parse.urlencode({"query": query}), timeout=30) as got:
        return json.load(got)["data"]["result"]


def test_whole(folder):
    """What the dashboard asks Loki for is what palate warned of."""
    program_of("promtail")
    program_of("loki")
    with open(os.path.join(DEPLOY, "grafana", "dashboards", "service.json"),
              encoding="utf-8") as f:
        queries = [t["expr"] for panel in json.load(f)["panels"] for t in panel.get("targets", [])
                   if t["datasource"]["type"] == "loki"]
    same(len(queries), 1)
    text = lines_of_palate(folder)
    warned = [line for line in text.splitlines() if json.loads(line)["level"] == "warning"]
    with Loki() as loki, Promtail(os.path.join(folder, "server.log"), loki.port), \
            Site(folder, "--log", "json") as site:
        site.wait(lambda: ask(loki.port, queries[0]), ARRIVE_S)
        found = [value[1] for stream in ask(loki.port, queries[0]) for value in stream["values"]]
        same(found, warned)
        if ask(loki.port, '{job="palate"} |= "/metrics"'):
            fail("scrapes are kept")


run(globals())
