"""What dashboards and alerts ask of a stream and of shared state has data in a real Prometheus that
scrapes split roles on a real RabbitMQ and Redis which people use; and what people take is counted
where it was shown, though they say so to another process."""
from deploy_asked import RULES, check_data, of_parts, use
from prometheus import Prometheus
from rabbitmq import RabbitMQ
from redis import Redis
from running import Site
from server import need
from harness import palate, run, same, world

WAIT_S = 60


def test_parts(folder):
    need("prometheus")
    palate("import", world(folder), "--store", "sqlite:palate.db", cwd=folder)
    with RabbitMQ() as broker, Redis() as redis:
        def role(name):
            return Site(folder, "--role", name, "--stream", broker.url(), "--state",
                        redis.url, "--store", "sqlite:palate.db", "--journal", f"journal-{name}")

        with role("pipeline") as pipeline, role("collector") as collector, role("recs") as recs, \
                Prometheus([p.port for p in (pipeline, collector, recs)], [RULES]) as prometheus:
            use(recs, collector)
            collector.post("/v1/events", {"user_id": "new", "item_id": "seen", "type": "like"})
            recs.wait(lambda: recs.raw("GET", "/v1/users/new").status == 200, WAIT_S)
            use(recs, collector)
            check_data(prometheus, of_parts, least=16)
            up = prometheus.get("query", query="sum by (job) (palate_role)")["result"]
            same([series["value"][1] for series in up], ["3"])

            def taken():
                found = prometheus.get("query", query="palate_taken_items_total > 0")["result"]
                return {series["metric"]["instance"] for series in found}

            recs.wait(taken, WAIT_S)
            same(taken(), {f"127.0.0.1:{recs.port}"})


run(globals())
