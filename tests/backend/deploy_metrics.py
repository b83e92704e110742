"""What dashboards and alerts ask of a stream has data in a real Prometheus that scrapes split roles
on a real RabbitMQ which people use."""
from deploy_asked import RULES, check_data, of_stream, use
from prometheus import Prometheus
from rabbitmq import RabbitMQ
from running import Site
from server import need
from harness import palate, run, same, world

WAIT_S = 60


def test_stream(folder):
    need("prometheus")
    palate("import", world(folder), "--store", "sqlite:palate.db", cwd=folder)
    with RabbitMQ() as broker:
        def role(name):
            return Site(folder, "--role", name, "--stream", broker.url(), "--store",
                        "sqlite:palate.db", "--journal", f"journal-{name}")

        with role("pipeline") as pipeline, role("collector") as collector, role("recs") as recs, \
                Prometheus([p.port for p in (pipeline, collector, recs)], [RULES]) as prometheus:
            use(recs, collector)
            collector.post("/v1/events", {"user_id": "new", "item_id": "seen", "type": "like"})
            recs.wait(lambda: recs.raw("GET", "/v1/users/new").status == 200, WAIT_S)
            use(recs, collector)
            check_data(prometheus, of_stream, least=8)
            up = prometheus.get("query", query="sum by (job) (palate_role)")["result"]
            same([series["value"][1] for series in up], ["3"])


run(globals())
