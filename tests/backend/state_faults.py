"""Two processes that share a Redis, which is full, hangs, is killed and begins anew; or they are
killed themselves."""
import time

from sharing import ITEMS, Two, eventually, like, metric, popular, shown
from harness import run, same


def test_killed_processes_lose_and_double_no_count(folder):
    with Two(folder) as (a, b, _):
        like(a, "first", "i3")
        eventually("counts are shared", lambda: "i3" in popular(b))
        for turn in range(4):
            for user in range(10):
                like(a, f"u{turn}-{user}", "i3")
            if turn % 2:
                eventually("it is told", lambda n=turn: popular(b)["i3"] > 10 * n + 10)
            a.kill()
            a.start()
        eventually("all of it", lambda: abs(popular(b)["i3"] - 41) < .1)
        time.sleep(2.5)
        for site in (a, b):
            assert abs(popular(site)["i3"] - 41) < .1, popular(site)


def test_a_full_redis(folder):
    with Two(folder) as (a, b, redis):
        like(a, "ann", "i1")
        same(len(shown(b, "ann")), 29)
        redis.ask("CONFIG", "SET", "maxmemory", "1")
        for n in range(2, 8):
            like(a, "ann", f"i{n}")
            same(len(shown(a, "ann")), 30 - n)
            like(a, f"new{n}", "i1")
            same(len(shown(a, f"new{n}")), 29)
        assert "it is full" in a.log(), a.log()
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        eventually("it works again", lambda: "the shared state works again" in a.log())
        like(a, "bob", "i1")
        same(len(shown(b, "bob")), 29)
        same(len(shown(a, "ann")), 23)
        same(a.log().count('"level":"warning"'), 1)


def test_redis_hangs(folder):
    with Two(folder) as (a, b, redis):
        like(a, "ann", "i1")
        same(len(shown(a, "ann")), 29)
        redis.pause()
        slowest = 0
        for n in range(2, 12):
            began = time.monotonic()
            like(a, "ann", f"i{n}")
            same(len(shown(a, "ann")), 30 - n)
            slowest = max(slowest, time.monotonic() - began)
        # two timeouts of a tenth of a second at most, on a machine that may be busy
        assert slowest < 2, slowest
        same(a.get("/health/ready")["status"], "degraded")
        assert metric(a, "state_fallbacks_total") >= 9
        redis.go_on()
        eventually("it is back", lambda: a.get("/health/ready")["status"] == "ready")
        eventually("nothing is owed", lambda: metric(a, "state_owed_users") == 0)
        same(len(shown(a, "ann")), 19)
        like(a, "bob", "i1")
        same(len(shown(b, "bob")), 29)


def test_redis_begins_anew(folder):
    with Two(folder) as (a, b, redis):
        for item in ITEMS[:4]:
            like(a, "ann", item)
        same(len(shown(b, "ann")), 26)
        eventually("b knows what is popular", lambda: len(popular(b)) == 4)
        redis.kill()
        like(a, "ann", "i5")
        same(len(shown(a, "ann")), 25)
        b.delete("/v1/users/zoe")
        redis.start()
        eventually("they are back", lambda: all(
            s.get("/health/ready")["status"] == "ready" for s in (a, b)))
        same(len(shown(a, "ann")), 25)
        like(a, "ann", "i6")
        same(len(shown(a, "ann")), 24)
        eventually("all counts are there", lambda: redis.ask(
            "KEYS", "palate:c:*:sums") and len(popular(b)) == 6)
        for item, score in popular(b).items():
            assert abs(score - 1) < .01, (item, score)


run(globals())
