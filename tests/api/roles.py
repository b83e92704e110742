"""A process with part of the roles: it does its part, and says of the rest who does it."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import refuses, run, same  # noqa: E402

ASKED = [("GET", "/v1/users/u/recommendations"), ("GET", "/v1/items"), ("POST", "/v1/rank"),
         ("GET", "/v1/popular"), ("GET", "/v1/stats"), ("GET", "/recs/u")]
TOLD = [("POST", "/v1/events"), ("PUT", "/v1/items/a"), ("DELETE", "/v1/users/u"),
        ("POST", "/interact"), ("POST", "/cleanup")]
TRAINED = [("POST", "/v1/train"), ("GET", "/v1/train")]
EVENT = {"user_id": "u", "item_id": "a", "type": "like"}


def elsewhere(site, calls, here, there):
    for method, path in calls:
        body = {} if method in ("POST", "PUT") else None
        problem = site.call(method, path, body, status=409)
        same(problem["code"], "other_role")
        assert f"has the role {here}:" in problem["detail"], problem
        assert problem["detail"].endswith(f"--role {there}"), problem


def well(site, roles):
    same(site.get("/health/live")["status"], "live")
    same(site.get("/health/ready")["status"], "ready")
    same(site.get("/v1/status")["role"], roles)
    metrics = site.raw("GET", "/metrics").body.decode()
    for role in ("recs", "collector", "pipeline"):
        line = f'palate_role{{role="{role}"}} {int(role in roles.split(","))}'
        assert line in metrics.split("\n"), (line, metrics[:400])


def test_recs_answers_and_takes_nothing_in(folder):
    with Site(folder, "--role", "collector,recs") as site:
        site.post("/v1/items", [{"item_id": "a"}, {"item_id": "b"}])
        site.post("/v1/events", [EVENT])
    with Site(folder, "--role", "recs") as site:
        well(site, "recs")
        elsewhere(site, TOLD, "recs", "collector")
        elsewhere(site, TRAINED, "recs", "pipeline")
        same(site.recommend("u"), ["b"])
        same(len(site.get("/v1/items")["items"]), 2)
        site.recommend("u")
        same(len(site.get("/v1/users/u/events")["events"]), 1)


def test_collector_takes_in_and_answers_nothing(folder):
    with Site(folder, "--role", "collector") as site:
        well(site, "collector")
        elsewhere(site, ASKED, "collector", "recs")
        elsewhere(site, TRAINED, "collector", "pipeline")
        site.post("/v1/items", [{"item_id": "a"}, {"item_id": "b"}, {"item_id": "c"}])
        site.post("/v1/events", [EVENT])
        site.delete("/v1/items/c")
    with Site(folder) as site:
        same(site.recommend("u"), ["b"])


def test_pipeline_trains_beside_others(folder):
    with Site(folder, "--role", "recs,collector") as site:
        site.post("/v1/items", [{"item_id": i} for i in "abcdefgh"])
        site.post("/v1/events", [{"user_id": f"u{u}", "item_id": i, "type": "like"}
                                 for u in range(40) for n, i in enumerate("abcdefgh")
                                 if (u + n) % 3])
        same(len(site.get("/v1/users/u39/events")["events"]), 5)
        other = Site(folder, "--role", "pipeline", start=False)
        with other.start():
            well(other, "pipeline")
            elsewhere(other, ASKED, "pipeline", "recs")
            elsewhere(other, TOLD, "pipeline", "collector")
            other.post("/v1/train", {}, status=202)
            other.wait(lambda: other.get("/v1/train")["state"] == "idle", 120)
            same(other.get("/v1/models")["current"], 1)
        site.post("/v1/models/reload", {})
        same(site.get("/v1/status")["model"]["version"], 1)


def test_a_word_that_is_no_role(folder):
    refuses(2, "serve", "--role", "recs,cook", says=["'cook' is no role"], cwd=folder)


run(globals())
