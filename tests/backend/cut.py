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

NOTICED_S, BACK_S = 40, 40
TAKES = "the stream takes nothing now", "the stream takes events again"
KEEPS = "the store takes nothing now", "the store takes events again"


class Case:
    """lacks, lost, found: what health and log say when it is cut off and when it is back;
    slowest_s: no call may take longer."""

    def __init__(self, site, lacks, lost, found, slowest_s):
        self.site, self.lacks, self.lost, self.found = site, lacks, lost, found
        self.slowest_s, self.busy, self.noticed_s, self.back_s = slowest_s, None, None, None

    def check(self):
        """Once all is over."""
        comes(self.site, "ready")
        events = self.busy.end()
        log = [json.loads(line) for line in self.site.log().splitlines()]
        said = [line["message"].split(":")[0] for line in log if line["level"] == "warning"]
        same((len(said), self.site.said(self.lost)), (len(set(said)), 1))
        same([line for line in log if line["level"] == "error"], [])
        slowest = self.busy.load.slowest, self.busy.asker.slowest
        print(f"{self.where()}: noticed after {self.noticed_s:.1f} s, back after {self.back_s:.1f} "
              f"s, {events} events, slowest event {slowest[0]:.2f} s, slowest answer "
              f"{slowest[1]:.2f} s")
        if max(slowest) > self.slowest_s:
            fail(f"{self.where()}: a call took {slowest} s, more than {self.slowest_s} s")

    def where(self):
        return " ".join(word.split("://")[0] for word in self.site.options if "://" in word)


def until_said(cases, text, seconds):
    """The seconds after which the log of each said it."""
    began, after = time.monotonic(), {}
    while len(after) < len(cases):
        now = time.monotonic() - began
        for case in cases:
            if case not in after and case.site.said(text(case)):
                after[case] = now
        if now > seconds:
            fail(f"not said by all after {seconds} s: " + "".join(
                case.site.log()[-1500:] for case in cases))
        time.sleep(0.05)
    return after


def through_a_cut(net, *cases):
    for case in cases:
        case.busy = Busy(case.site)
    net.cut()
    for case, after in until_said(cases, lambda case: case.lost, NOTICED_S).items():
        case.noticed_s = after
    time.sleep(2)  # connecting anew fails as well
    for case in cases:
        case.busy.goes_on(200)
        same(health(case.site), ["degraded", case.lacks])
    net.heal()
    for case, after in until_said(cases, lambda case: case.found, BACK_S).items():
        case.back_s = after
    for case in cases:
        case.check()


def folders(folder, *names):
    for name in names:
        os.mkdir(os.path.join(folder, name))
    return [os.path.join(folder, name) for name in names]


def test_streams_and_state(folder):
    first, second, third = folders(folder, "amqp", "kafka", "redis")
    with Net() as net, RabbitMQ() as rabbit, Kafka() as kafka, Redis(password="s3cret") as redis, \
            Alone(first, "--stream", rabbit.url("q")) as amqp, \
            Alone(second, "--stream", kafka.url("q")) as on_kafka, \
            Alone(third, "--state", redis.url) as shared:
        through_a_cut(net, Case(amqp, "stream", *TAKES, 3), Case(on_kafka, "stream", *TAKES, 3),
                      Case(shared, "state", "answers come from the store",
                           "the shared state works again", 3))


def test_stores(folder):
    first, second = folders(folder, "postgres", "clickhouse")
    with Net() as net, Postgres() as postgres, ClickHouse() as clickhouse:
        clickhouse.ask("CREATE DATABASE palate")
        with Alone(first, where=["--store", postgres.url()]) as one, \
                Alone(second, where=["--events", clickhouse.url("palate")]) as two:
            through_a_cut(net, Case(one, "store", *KEEPS, 10), Case(two, "store", *KEEPS, 10))


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
