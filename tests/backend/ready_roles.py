"""Processes of one role each, whose store and broker go and come back: who is ready meanwhile."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres import Postgres  # noqa: E402
from rabbitmq import RabbitMQ  # noqa: E402
from running import Site  # noqa: E402
from health import comes, health  # noqa: E402
from harness import run, same  # noqa: E402

EVENTS = [{"user_id": "u", "item_id": "a", "type": "view"}]


def test_by_role(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres:
        where = ["--store", postgres.url(), "--stream", rabbit.url("q"), "--set",
                 "live.follow_ms=200", "--set", "live.models_poll_ms=200"]
        sites = {}
        for role in ["pipeline", "collector", "recs"]:
            os.mkdir(os.path.join(folder, role))
            sites[role] = Site(os.path.join(folder, role), "--role", role, *where)
        pipeline, collector, recs = sites.values()
        try:
            for site in sites.values():
                comes(site, "ready")
            postgres.kill()
            comes(pipeline, "store_away")
            comes(recs, ["degraded", "store"])
            same(health(collector), "ready")
            postgres.start()
            for site in sites.values():
                comes(site, "ready")
            rabbit.kill()
            comes(pipeline, "stream_away")
            collector.post("/v1/events", EVENTS)
            comes(collector, ["degraded", "stream"])
            rabbit.start()
            for site in sites.values():
                comes(site, "ready")
            same(pipeline.get("/health/live"), {"status": "live"})
        finally:
            for site in sites.values():
                site.kill()


run(globals())
