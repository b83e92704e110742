"""deploy/prometheus and deploy/grafana: promtool accepts the rules, each alert is shown to fire and
not to fire, and every expression of every alert and dashboard has data in a real Prometheus that
scrapes a palate which people use and which trains."""
import glob
import json
import math
import os
import re
import subprocess
import time

from deploy_parts import DEPLOY, comparisons
from prometheus import Prometheus
from running import Site
from server import fail, need
from harness import QUICK, ROOT, palate, run, same, world

RULES = os.path.join(DEPLOY, "prometheus", "rules", "palate.yml")
DASHBOARDS = sorted(glob.glob(os.path.join(DEPLOY, "grafana", "dashboards", "*.json")))
LOAD_S, WAIT_S = 5, 60
TYPES = ["like", "dislike", "view", "click", "add_to_cart", "purchase"]


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


def test_rules(_):
    promtool("check", "rules", RULES)
    promtool("check", "config", "--syntax-only", os.path.join(DEPLOY, "prometheus",
                                                              "prometheus.yml"))


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


def board(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


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


def expressions():
    """(where, PromQL) of all dashboards, their variables and annotations."""
    for path in DASHBOARDS:
        name, b = os.path.basename(path), board(path)
        for variable in b["templating"]["list"]:
            metric = re.fullmatch(r"label_values\((.+), \w+\)", variable["definition"]).group(1)
            yield f"{name}: ${variable['name']}", metric
        for note in b["annotations"]["list"]:
            yield f"{name}: {note['name']}", note["expr"]
        for panel in b["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "prometheus":
                    yield f"{name}: {panel['title']}", target["expr"]


def filled_in(expression):
    """As Grafana would ask it."""
    for name, value in [("$__rate_interval", "30s"), ("$job", "palate"), ("$instance", ".*")]:
        expression = expression.replace(name, value)
    same("$" in expression, False)
    return expression


def has_data(prometheus, expression):
    """None, or what is wrong."""
    got = prometheus.get("query", query=expression)
    if isinstance(got, str):
        return got
    if got["resultType"] == "scalar":
        return None
    values = [float(series["value"][1]) for series in got["result"]]
    if not values:
        return "nothing"
    return None if any(math.isfinite(v) for v in values) else f"only {values}"


def use(site):
    """People ask, and do something about half of what they get; somebody asks nonsense."""
    began, n = time.monotonic(), 0
    while time.monotonic() - began < LOAD_S:
        for user in range(n, n + 10):
            items = site.recommend(f"person-{user % 30}", n=6)
            events = [{"user_id": f"person-{user % 30}", "item_id": item, "type": kind}
                      for item, kind in zip(items, TYPES)]
            site.post("/v1/events", events[:1 + n % 6])
        site.get("/v1/nonsense", status=404)
        n += 10
        time.sleep(0.1)


def test_every_expression_has_data(folder):
    need("prometheus")
    palate("import", world(folder), "--store", "sqlite:palate.db", cwd=folder)
    with Site(folder, "--model", "als,popular", *QUICK) as site, \
            Prometheus([site.port], [RULES]) as prometheus:
        site.post("/v1/train", {}, 202)
        use(site)
        site.wait(lambda: site.get("/v1/train")["state"] == "idle", WAIT_S)
        use(site)
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        asked = [(rule["name"], part) for rule in rules for part in comparisons(rule["query"])]
        asked += [(where, part) for where, text in expressions()
                  for part in comparisons(filled_in(text))]
        same(len(asked) > 80, True)
        began = time.monotonic()
        while True:
            wrong = [(where, text, why) for where, text in asked
                     if (why := has_data(prometheus, text))]
            if not wrong or time.monotonic() - began > WAIT_S / 3:
                break
            time.sleep(1)
        if wrong:
            fail("no data:\n" + "\n".join(f"{w}: {text}: {why}" for w, text, why in wrong))
        bad = [rule["name"] for rule in rules if rule["health"] == "err"]
        same(bad, [])


run(globals())
