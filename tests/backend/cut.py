"""The network is cut: packets to and from a server vanish and nobody hangs up, so only timeouts
tell. What is acknowledged meanwhile is kept, answers go on within a time, one line of the log says
what happened; and when the cable is back everything is where it belongs, once."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from alone import Alone, Busy  # noqa: E402
from clickhouse import ClickHouse  # noqa: E402
from health import comes, health  # noqa: E402
from kafka import Kafka  # noqa: E402
from network import Net  # noqa: E402
from postgres import Postgres  # noqa: E402
from rabbitmq import RabbitMQ  # noqa: E402
from redis import Redis  # noqa: E402
from s3 import S3  # noqa: E402
from harness import fail, run, same  # noqa: E402

NOTICED_S, BACK_S = 30, 40
TAKES = "the stream takes nothing now", "the stream takes events again"
KEEPS = "the store takes nothing now", "the store takes events again"


def through_a_cut(net, site, lacks, lost, found, slowest_s):
    """lacks, lost, found: what health and log say of it; slowest_s: no call may take longer."""
    busy = Busy(site)
    net.cut()
    began = time.monotonic()
    site.wait(lambda: site.said(lost), NOTICED_S)
    noticed = time.monotonic() - began
    busy.goes_on(200)
    time.sleep(2)  # connecting anew fails as well
    busy.goes_on(200)
    same(health(site), ["degraded", lacks])
    net.heal()
    healed = time.monotonic()
    site.wait(lambda: site.said(found), BACK_S)
    back = time.monotonic() - healed
    comes(site, "ready")
    events = busy.end()
    warnings = [line for line in site.log().splitlines() if '"level":"warning"' in line]
    said = [json.loads(line)["message"].split(":")[0] for line in warnings]
    same((len(said), site.said(lost), site.said('"level":"error"')), (len(set(said)), 1, 0))
    slowest = busy.load.slowest, busy.asker.slowest
    print(f"{lacks}: noticed after {noticed:.1f} s, back after {back:.1f} s, {events} events, "
          f"slowest event {slowest[0]:.2f} s, slowest answer {slowest[1]:.2f} s")
    if max(slowest) > slowest_s:
        fail(f"a call took {slowest} s, which should be {slowest_s} at most")


def test_amqp(folder):
    with Net() as net, RabbitMQ() as rabbit, Alone(folder, "--stream", rabbit.url("q")) as site:
        through_a_cut(net, site, "stream", *TAKES, 3)


def test_kafka(folder):
    with Net() as net, Kafka() as kafka, Alone(folder, "--stream", kafka.url("q")) as site:
        through_a_cut(net, site, "stream", *TAKES, 3)


def test_postgres(folder):
    with Net() as net, Postgres() as postgres, \
            Alone(folder, where=["--store", postgres.url()]) as site:
        through_a_cut(net, site, "store", *KEEPS, 10)


def test_clickhouse(folder):
    with Net() as net, ClickHouse() as clickhouse:
        clickhouse.ask("CREATE DATABASE palate")
        with Alone(folder, where=["--events", clickhouse.url("palate")]) as site:
            through_a_cut(net, site, "store", *KEEPS, 10)


def test_redis(folder):
    with Net() as net, Redis(password="s3cret") as redis, \
            Alone(folder, "--state", redis.url) as site:
        through_a_cut(net, site, "state", "answers come from the store",
                      "the shared state works again", 2)


def version(site):
    return site.get("/v1/status")["model"]["version"]


def test_s3(folder):
    """A training that wants to publish waits (for some 45 s, measured once), and answers go on."""
    with Net() as net, S3() as s3:
        s3.make_bucket("models")
        with Alone(folder, "--models", "s3://models/shop",
                   env=s3.env(os.path.join(folder, "cache"))) as site:
            busy = Busy(site)
            net.cut()
            site.post("/v1/train", {}, status=202)
            busy.goes_on(200)
            time.sleep(4)
            busy.goes_on(200)
            same((site.get("/v1/train")["state"], version(site)), ("running", 0))
            net.heal()
            healed = time.monotonic()
            site.wait(lambda: version(site) == 1, 60)
            print(f"s3: published {time.monotonic() - healed:.1f} s after it was back, "
                  f"{busy.end()} events, slowest event {busy.load.slowest:.2f} s, slowest answer "
                  f"{busy.asker.slowest:.2f} s")
            same(site.said('"level":"error"'), 0)
            if max(busy.load.slowest, busy.asker.slowest) > 2:
                fail("answers waited for the bucket")


run(globals())
