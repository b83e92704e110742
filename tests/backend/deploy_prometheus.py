"""deploy/prometheus and deploy/grafana: promtool accepts the rules, each alert is shown to fire and
not to fire, and every expression of every alert and dashboard has data in a real Prometheus that
scrapes a palate which people use and which trains."""
import os
import re
import subprocess

from deploy_parts import DEPLOY, comparisons
from deploy_asked import DASHBOARDS, RULES, board, check_data, of_parts, use
from prometheus import Prometheus
from running import Site
from server import fail, need
from harness import QUICK, ROOT, palate, run, same, world

WAIT_S = 60


def test_comparisons(_):
    """How this test takes expressions apart."""
    for text, sides in [("a", ["a"]), ("a{b=~\"x|> 3\"} >= 3", ["a{b=~\"x|> 3\"}", "3"]),
                        ("sum(a > 1) == 0 and b[1h:5m] < 2", ["sum(a > 1)", "0", "b[1h:5m]", "2"]),
                        ("(a or b) /\n c", ["(a or b) /  c"])]:
        same(comparisons(text), sides)


def promtool(*words):
    done = subprocess.run([need("promtool", package="prometheus"), *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        fail(f"promtool {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def test_rules(folder):
    promtool("check", "rules", RULES)
    promtool("check", "config", "--syntax-only", os.path.join(DEPLOY, "prometheus",
                                                              "prometheus.yml"))
    with open(os.path.join(DEPLOY, "prometheus", "kubernetes.yml"), encoding="utf-8") as f:
        text = f.read()  # Debian's Prometheus is built without Kubernetes
    where = re.search(r"^    kubernetes_sd_configs:\n(      .*\n)+", text, re.MULTILINE).group(0)
    with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as f:
        f.write(text.replace(where, "    static_configs: [{targets: [a]}]\n"))
    promtool("check", "config", "--syntax-only", f.name)


def test_alerts_fire(_):
    """As tests.yml says; which shows of each alert when it does and when it does not."""
    tests = os.path.join(DEPLOY, "prometheus", "tests.yml")
    promtool("test", "rules", tests)
    with open(RULES, encoding="utf-8") as f:
        alerts = re.findall(r"^ +- alert: (\w+)$", f.read(), re.MULTILINE)
    with open(tests, encoding="utf-8") as f:
        text = f.read()
    same(len(alerts) > 10, True)
    for alert in alerts:
        if not re.search(rf"alertname: {alert}, .*exp_alerts: \[\]", text):
            fail(f"tests.yml does not show when {alert} does not fire")
        if not re.search(rf"alertname: {alert}\n +eval_time: \w+\n +exp_alerts:\n", text):
            fail(f"tests.yml does not show when {alert} fires")


def test_dashboards_are_whole(_):
    """Ids are unique, panels lie side by side, and sources are among those provisioned."""
    same([os.path.basename(path) for path in DASHBOARDS],
         ["business.json", "learning.json", "service.json"])
    with open(os.path.join(DEPLOY, "grafana", "provisioning", "datasources", "palate.yml"),
              encoding="utf-8") as f:
        sources = set(re.findall(r"^    uid: (\S+)$", f.read(), re.MULTILINE))
    same(len(sources), 2)
    same(len({board(path)["uid"] for path in DASHBOARDS}), len(DASHBOARDS))
    for path in DASHBOARDS:
        taken, panels = set(), board(path)["panels"]
        same(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            if at["x"] + at["w"] > 24 or cells & taken:
                fail(f"{path}: panel '{panel['title']}' lies outside or over another")
            taken |= cells
            if panel["type"] == "row":
                continue
            for source in [panel["datasource"], *[t["datasource"] for t in panel["targets"]]]:
                same(source["uid"] in sources, True)
            same(bool(panel["targets"] and panel["title"]), True)


def test_every_expression_has_data(folder):
    """All but those of streams and shared state: deploy_metrics.py has them."""
    need("prometheus")
    palate("import", world(folder), "--store", "sqlite:palate.db", cwd=folder)
    with Site(folder, "--model", "als,popular", *QUICK) as site, \
            Prometheus([site.port], [RULES]) as prometheus:
        site.post("/v1/train", {}, 202)
        use(site, site)
        site.wait(lambda: site.get("/v1/train")["state"] == "idle", WAIT_S)
        use(site, site)
        check_data(prometheus, lambda text: not of_parts(text), least=80)


run(globals())
