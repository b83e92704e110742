"""A server that is killed at random points under load, a hundred times or $PALATE_TEST_KILLS: every
acknowledged event is there, none twice, and it is ready again at once."""
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from server import Site  # noqa: E402
from harness import fail, palate, refuses, run, same  # noqa: E402

KILLS = int(os.environ.get("PALATE_TEST_KILLS", "100"))
WRITERS, USERS = 4, 50


class Writer(threading.Thread):
    """Posts events with ids of their own, one or a few at a time, and keeps account: what was
    acknowledged must be there once, what was sent and not answered may be."""

    def __init__(self, site, number, life):
        super().__init__(daemon=True)
        self.site, self.number, self.life = site, number, life
        self.acknowledged, self.sent, self.done = set(), set(), False
        self.random = random.Random(1000 * life + number)

    def event(self, serial):
        name = f"{self.life}-{self.number}-{serial}"
        return {"user_id": f"u{self.random.randrange(USERS)}", "type": "view", "event_id": name,
                "item_id": f"i{self.random.randrange(200)}"}

    def run(self):
        link, serial = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30), 0
        try:
            while not self.done:
                batch = [self.event(serial + i) for i in range(self.random.choice([1, 1, 1, 20]))]
                serial += len(batch)
                names = {e["event_id"] for e in batch}
                self.sent |= names
                link.request("POST", "/v1/events", json.dumps(batch),
                             {"Content-Type": "application/json"})
                answer = link.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged |= names
        except (OSError, http.client.HTTPException):
            pass  # it was killed: what was on the way is of no account
        finally:
            link.close()


def stored(folder):
    """event_id -> how often, of all that the store and the journal hold."""
    counts = {}
    for line in palate("export", "--store", "sqlite:palate.db", cwd=folder).out.splitlines():
        event = json.loads(line).get("event")
        if event:
            counts[event["event_id"]] = counts.get(event["event_id"], 0) + 1
    return counts


def test_killed_a_hundred_times(folder):
    acknowledged, sent, ready = set(), set(), []
    dice = random.Random(5)
    for life in range(KILLS):
        began = time.monotonic()
        site = Site(folder)
        same(site.get("/health/ready"), {"status": "ready"})
        ready.append(time.monotonic() - began)
        writers = [Writer(site, i, life) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        if life % 2:  # on a busy machine the random point may come before the first event
            site.wait(lambda: any(writer.acknowledged for writer in writers))
        time.sleep(dice.uniform(0.02, 0.3))  # the random point, not a wait
        site.kill()
        for writer in writers:
            writer.done = True
            writer.join(60)
            acknowledged |= writer.acknowledged
            sent |= writer.sent
    counts = stored(folder)
    lost = acknowledged - set(counts)
    twice = {name for name, n in counts.items() if n > 1}
    unknown = set(counts) - sent
    middle, most = sorted(ready)[len(ready) // 2], max(ready)
    print(f"{KILLS} kills, {len(acknowledged)} events acknowledged, {len(counts)} kept; started "
          f"and ready in {middle:.2f} s (median), {most:.2f} s (most)")
    if lost or twice or unknown:
        fail(f"lost {sorted(lost)[:5]}, twice {sorted(twice)[:5]}, unknown {sorted(unknown)[:5]}")
    if len(acknowledged) < KILLS:
        fail(f"only {len(acknowledged)} events came in: nothing was shown")
    with Site(folder) as site:  # and what users did is what the server says that they did
        total = sum(site.get(f"/v1/users/u{u}")["event_count"] for u in range(USERS))
        same(total, len(counts))


def test_a_second_server_is_refused(folder):
    with Site(folder) as site:
        site.post("/v1/events", {"user_id": "u", "item_id": "i"})
        refuses(1, "serve", "--listen", "127.0.0.1:0", cwd=folder,
                says=[str(site.process.pid), "palate.db"])
        same(site.get("/v1/users/u")["event_count"], 1)


run(globals())
