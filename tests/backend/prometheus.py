"""A Prometheus that scrapes a palate every second, with the rules of deploy/prometheus."""
import json
import urllib.error
import urllib.parse
import urllib.request

from server import Server, need


class Prometheus(Server):
    """targets: ports of palates; rules: files of rules."""

    name = "prometheus"

    def __init__(self, targets, rules=()):
        self.targets, self.rules = targets, rules
        super().__init__()

    def prepare(self):
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": list(self.rules),
            "scrape_configs": [{"job_name": "palate", "static_configs": [
                {"targets": [f"127.0.0.1:{port}" for port in self.targets],
                 "labels": {"component": "palate"}}]}],
        }
        with open(self.path("prometheus.yml"), "w", encoding="utf-8") as f:
            json.dump(config, f)  # which YAML takes

    def command(self):
        return [need("prometheus"), f"--config.file={self.path('prometheus.yml')}",
                f"--storage.tsdb.path={self.path('data')}", "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{self.port}"]

    def ready(self):
        try:
            url = f"http://127.0.0.1:{self.port}/-/ready"
            with urllib.request.urlopen(url, timeout=5) as got:
                return got.status == 200
        except OSError:
            return False

    def get(self, path, **query):
        """The data of a call's answer, or the error as a text."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=30) as got:
                return json.load(got)["data"]
        except urllib.error.HTTPError as wrong:
            return wrong.read().decode()
