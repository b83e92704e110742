"""Brokers and databases without room: what comes is acknowledged into the journal up to its bound,
then refused with 503, and answers go on; when there is room again all of it arrives, once.
(A full Redis is in state_faults.py, a full PostgreSQL in store_postgres_faults.py.)"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from alone import Alone, Busy  # noqa: E402
from clickhouse import ClickHouse  # noqa: E402
from disk import Disk  # noqa: E402
from health import comes, health  # noqa: E402
from kafka import Kafka  # noqa: E402
from rabbitmq import RabbitMQ  # noqa: E402
from harness import run, same  # noqa: E402

SMALL = ["--set", "journal.most_bytes=131072", "--set", "journal.segment_bytes=16384"]


def filled_up(site, what, fill, free):
    """what: "stream" or "store"."""
    busy = Busy(site)
    kept = busy.load.count()
    fill()
    site.wait(lambda: site.said(f"the {what} takes nothing now"), 60)
    site.wait(lambda: busy.load.failures > 0, 60)
    same(health(site), ["degraded", "journal", what])
    kept, answers = busy.load.count() - kept, busy.asker.answers
    site.wait(lambda: busy.asker.answers > answers + 20, 60)
    free()
    began = time.monotonic()
    site.wait(lambda: site.said(f"the {what} takes events again"), 60)
    back = time.monotonic() - began
    busy.goes_on(100)
    comes(site, "ready")
    events = busy.end()
    same((site.said(f"the {what} takes nothing now"), site.said('"level":"error"')), (1, 0))
    print(f"{what}: {kept} events kept in 128 KiB, then 503; back after {back:.1f} s, {events} "
          f"events in all, slowest event {busy.load.slowest:.2f} s, slowest answer "
          f"{busy.asker.slowest:.2f} s")


def test_rabbitmq(folder):
    """Its alarm: with less free than it is told to keep it blocks who publishes."""
    with RabbitMQ() as rabbit, Alone(folder, "--stream", rabbit.url("q"), *SMALL) as site:
        filled_up(site, "stream", lambda: rabbit.ctl("set_disk_free_limit", "1000000GB"),
                  lambda: rabbit.ctl("set_disk_free_limit", "50MB"))
        assert site.said("free some of it there") == 1, site.log()


def test_kafka(folder):
    """It stops itself when it can't write."""
    with Kafka(start=False) as kafka, Disk(kafka.path("data"), 64) as disk:
        kafka.format()
        kafka.start()

        def free():
            disk.free()
            kafka.kill()
            kafka.start()

        with Alone(folder, "--stream", kafka.url("q"), *SMALL) as site:
            filled_up(site, "stream", disk.fill, free)


def test_clickhouse(folder):
    with ClickHouse(start=False) as clickhouse, Disk(clickhouse.path("data"), 48) as disk:
        clickhouse.start()
        clickhouse.ask("CREATE DATABASE palate")
        with Alone(folder, *SMALL, where=["--events", clickhouse.url("palate")]) as site:
            filled_up(site, "store", disk.fill, disk.free)


run(globals())
