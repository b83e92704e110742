"""A site with events in ClickHouse and the rest in PostgreSQL or SQLite: the servers and the site
itself are killed under load, rows of writes that were broken off lie about, and others write too.
Every acknowledged event is there once."""
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clickhouse import USER, ClickHouse  # noqa: E402
from postgres import Postgres  # noqa: E402
from running import Site  # noqa: E402
from harness import OTHERS, clean_environment, fail, palate, run, same  # noqa: E402

NO_LISTS = ["--set", "live.served=false"]
KILLS = 3


def test_the_contract_beside_postgres(folder):
    with ClickHouse() as server, Postgres() as postgres:
        url = server.url("%s", USER) + f"?catalog={postgres.url('?schema=%s')}"
        for program in OTHERS:
            done = subprocess.run([program], capture_output=True, text=True, timeout=300,
                                  check=False, env=clean_environment(PALATE_TEST_STORE=url))
            if done.returncode:
                fail(f"{program} {url}:\n{done.stdout}\n{done.stderr}")


class Load(threading.Thread):
    """Posts events until it is told to stop; keeps account of those that were acknowledged, and of
    those of which nobody knows. Every tenth has no id."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.acknowledged, self.unsure, self.done = site, [], [], False
        self.sent = 0

    def run(self):
        while not self.done:
            batch = []
            for _ in range(5):
                self.sent += 1
                event = {"user_id": f"u{self.sent % 40}", "item_id": f"i{self.sent}",
                         "type": "like"}
                if self.sent % 10:
                    event["event_id"] = f"e{self.sent}"
                batch.append(event)
            names = [event["item_id"] for event in batch]
            try:
                site = Site(self.site.folder, start=False).beside(self.site)
                site.post("/v1/events", batch)
                site.close()
                self.acknowledged += names
            except (AssertionError, OSError):
                self.unsure += names
                time.sleep(0.05)

    def end(self):
        self.done = True
        self.join(60)


def exported(folder, where):
    """The item of each event, in the order of the store and its journal."""
    path = os.path.join(folder, "out.jsonl")
    palate("export", *where, "--journal", os.path.join(folder, "journal"), "-o", path, cwd=folder)
    with open(path, encoding="utf-8") as lines:
        return [row["event"]["item_id"] for row in map(json.loads, lines) if "event" in row]


def assert_once(folder, where, load):
    got = exported(folder, where)
    same(len(got), len(set(got)))
    missing = set(load.acknowledged) - set(got)
    same(missing, set())
    same(set(got) <= set(load.acknowledged) | set(load.unsure), True)


def test_clickhouse_is_killed(folder):
    """Answers and acknowledgements go on without it, and nothing is lost or twice."""
    with ClickHouse() as server:
        where = ["--store", "sqlite:" + os.path.join(folder, "k.db"), "--events",
                 server.url("killed")]
        with Site(folder, *where, "--journal", "journal", *NO_LISTS) as site:
            load = Load(site)
            load.start()
            for _ in range(KILLS):
                before = len(load.acknowledged)
                site.wait(lambda: len(load.acknowledged) > before + 100)
                server.kill()
                before = len(load.acknowledged)
                site.wait(lambda: len(load.acknowledged) > before + 100)
                server.start()
            load.end()
            same(load.unsure, [])
            site.wait(lambda: server.ask("SELECT uniqExact(item) FROM killed.events")
                      == str(len(load.acknowledged)))
            if "the store takes nothing now" not in site.log():
                fail("the log does not say that ClickHouse is away")
        assert_once(folder, where, load)


def test_the_site_is_killed(folder):
    """At whichever moment between ClickHouse's insert and the catalog's commit."""
    with ClickHouse() as server, Postgres() as postgres:
        where = ["--store", postgres.url("?schema=site"), "--events", server.url("site")]
        site = Site(folder, *where, "--journal", "journal", *NO_LISTS,
                    "--set", "live.drain_most=50")
        load = Load(site)
        load.start()
        for _ in range(KILLS):
            before = len(load.acknowledged)
            site.wait(lambda: len(load.acknowledged) > before + 150)
            site.kill()
            site.start()
        load.end()
        site.stop()
        assert_once(folder, where, load)


def test_what_a_broken_write_left(folder):
    """Rows behind the catalog's mark are nothing, and give way to what is written next."""
    lines = os.path.join(folder, "lines.jsonl")

    def write(first, last):
        with open(lines, "w", encoding="utf-8") as out:
            for n in range(first, last):
                out.write(f'{{"user_id": "u{n % 3}", "item_id": "i{n}", "type": "like"}}\n')

    with ClickHouse() as server:
        where = ["--store", "sqlite:" + os.path.join(folder, "b.db"), "--events",
                 server.url("broken")]
        write(0, 100)
        palate("import", lines, *where)
        with sqlite3.connect(os.path.join(folder, "b.db")) as catalog:
            place = catalog.execute("SELECT next_place FROM state").fetchone()[0] - 1
        server.ask("INSERT INTO broken.events SELECT 'u1', toUInt32(0), toUInt64(number + "
                   f"{place + 1}), 'ghost', 'like', toFloat32(1), toInt64(0), toUInt64(0), '', '' "
                   "FROM numbers(50)")
        server.ask(f"INSERT INTO broken.erased VALUES ('u2', {place + 40}, 0)")
        server.ask("INSERT INTO broken.events SELECT * FROM broken.events WHERE place < 30")
        names = [f"i{n}" for n in range(100)]
        same(sorted(exported(folder, where)), sorted(names))
        write(100, 160)
        palate("import", lines, *where)
        names += [f"i{n}" for n in range(100, 160)]
        same(sorted(exported(folder, where)), sorted(names))
        same(server.ask("SELECT count() FROM broken.events WHERE item = 'ghost'"), "0")


run(globals())
