"""What dashboards and alerts ask Prometheus, and whether it has that; people who use a site."""
import glob
import json
import math
import os
import re
import time

from deploy_parts import DEPLOY, comparisons
from server import fail
from harness import same

RULES = os.path.join(DEPLOY, "prometheus", "rules", "palate.yml")
DASHBOARDS = sorted(glob.glob(os.path.join(DEPLOY, "grafana", "dashboards", "*.json")))
LOAD_S, ARRIVE_S = 3, 20
TYPES = ["like", "dislike", "view", "click", "add_to_cart", "purchase"]


def board(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


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


def use(recs, collector):
    """People ask, and do something about half of what they get; somebody asks nonsense."""
    began, n = time.monotonic(), 0
    while time.monotonic() - began < LOAD_S:
        for user in range(n, n + 10):
            items = recs.recommend(f"person-{user % 30}", n=6)
            events = [{"user_id": f"person-{user % 30}", "item_id": item, "type": kind}
                      for item, kind in zip(items, TYPES)]
            collector.post("/v1/events", events[:1 + n % 6])
        recs.get("/v1/nonsense", status=404)
        n += 10
        time.sleep(0.1)


def of_parts(text):
    """Whether that is something only processes have that share a stream or a state."""
    return bool(re.search("palate_(stream|follow|state)_", text))


def check_data(prometheus, wanted, least):
    """Every expression that is wanted, `least` of them or more, has data now or soon."""
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    asked = [(rule["name"], part) for rule in rules for part in comparisons(rule["query"])]
    asked += [(where, part) for where, text in expressions()
              for part in comparisons(filled_in(text))]
    asked = [(where, text) for where, text in asked if wanted(text)]
    same((len(asked), len(asked) >= least), (len(asked), True))
    began = time.monotonic()
    while True:
        wrong = [(where, text, why) for where, text in asked
                 if (why := has_data(prometheus, text))]
        if not wrong or time.monotonic() - began > ARRIVE_S:
            break
        time.sleep(1)
    if wrong:
        fail("no data:\n" + "\n".join(f"{w}: {text}: {why}" for w, text, why in wrong))
    same([rule["name"] for rule in rules if rule["health"] == "err"], [])
