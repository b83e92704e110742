"""Two processes that share a Redis and nothing else, and short words for what tests do with
them."""
import os
import re
import time

from redis import Redis
from running import Site
from harness import fail

ITEMS = [f"i{n}" for n in range(30)]


class Two:
    """Processes a and b, each with a store of its own, and the Redis between them."""

    def __init__(self, folder, *options, url=None, redis=None):
        self.redis = redis or Redis()
        self.sites = []
        for name in "ab":
            own = os.path.join(folder, name)
            os.mkdir(own)
            self.sites.append(Site(own, "--state", url or self.redis.url, *options, start=False))

    def __enter__(self):
        self.redis.__enter__()
        for site in self.sites:
            site.start()
            site.post("/v1/items", [{"item_id": i, "title": i} for i in ITEMS])
        return (*self.sites, self.redis)

    def __exit__(self, kind, value, trace):
        try:
            for site in self.sites:
                site.__exit__(kind, value, trace)
        finally:
            self.redis.__exit__(kind, value, trace)


def like(site, user, item, kind="like", **more):
    site.post("/v1/events", [{"user_id": user, "item_id": item, "type": kind, **more}])


def shown(site, user, n=100):
    got = site.get(f"/v1/users/{user}/recommendations", n=n)
    return [i["item_id"] for i in got["items"]]


def metric(site, name):
    body = site.raw("GET", "/metrics").body.decode()
    found = re.search(rf"^palate_{re.escape(name)} (\S+)$", body, re.MULTILINE)
    return float(found.group(1)) if found else fail(f"no {name} in {body[:3000]}")


def eventually(what, holds, seconds=20):
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            fail(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def popular(site):
    return {i["item_id"]: i["score"] for i in site.get("/v1/popular", n=100)["items"]}
