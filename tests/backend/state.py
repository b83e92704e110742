"""Two processes that share a Redis and nothing else: what came in through one is in the next answer
of the other, and what one counted moves the other."""
import time

from redis import Redis
from sharing import ITEMS, Two, eventually, like, metric, popular, shown
from harness import fail, run, same


def test_a_like_is_in_the_next_answer_of_the_other(folder):
    with Two(folder) as (a, b, _):
        for turn in range(200):
            user, item = f"u{turn % 10}", ITEMS[turn // 10]
            one, other = (a, b) if turn % 3 else (b, a)
            if item not in shown(other, user):
                fail(f"try {turn}: {item} was not on offer")
            like(one, user, item, "like" if turn % 2 else "dislike")
            for site in (other, one):
                if item in shown(site, user):
                    fail(f"try {turn}: the next answer does not know of {item}")
        same(metric(a, "state_fallbacks_total") + metric(b, "state_fallbacks_total"), 0)
        same(metric(a, "state_up"), 1)


def test_a_retry_through_the_other_counts_once(folder):
    with Two(folder) as (a, b, redis):
        shown(a, "ann")
        for site in (a, b, a):
            like(site, "ann", "i1", event_id="order 1")
        same(redis.ask("ZCARD", "palate:u:ann"), 3)  # head, event, id


def test_who_is_erased_through_one_is_gone_from_the_other(folder):
    with Two(folder) as (a, b, redis):
        for item in ITEMS[:5]:
            like(a, "ann", item)
        same(len(shown(b, "ann")), 25)
        b.delete("/v1/users/ann")
        for site in (a, b):
            same(len(shown(site, "ann")), 30)
        like(b, "ann", "i7")
        same(len(shown(a, "ann")), 29)
        for site in (a, b):
            site.get("/v1/users/ann/events")  # which waits until the store has all
        same(len(shown(a, "ann")), 29)
        same(redis.ask("ZCARD", "palate:u:ann"), 2)


def test_everything_is_forgotten_by_all(folder):
    with Two(folder, "--allow-cleanup") as (a, b, redis):
        like(a, "ann", "i1")
        same(len(shown(b, "ann")), 29)
        a.post("/cleanup", {})
        same(shown(b, "ann").count("i1"), 1)
        eventually("counts are forgotten", lambda: not popular(b))


def test_counts_move_the_other(folder):
    with Two(folder) as (a, b, _):
        for user in range(20):
            like(a, f"u{user}", "i3")
            like(a, f"u{user}", "i4", "dislike")
            like(b, f"u{user}", "i5")
        eventually("b knows what is popular", lambda: "i3" in popular(b))
        eventually("a too", lambda: "i5" in popular(a))
        for user in range(20, 30):  # both again, so that nothing is counted twice meanwhile
            like(a, f"u{user}", "i3")
            like(b, f"u{user}", "i3")

        def settled():
            one, two = popular(a), popular(b)
            return all(abs(x.get("i3", 0) - 40) < .1 and abs(x.get("i5", 0) - 20) < .1
                       for x in (one, two))
        eventually("both have all of it, once", settled)
        time.sleep(2.5)  # and it stays so over some rounds
        assert settled(), (popular(a), popular(b))
        # draws follow: of the bandit's first ten, what was disliked is never, what was liked always
        first = [b.get("/v1/users/new/recommendations", n=3, model="bandit")["items"]
                 for _ in range(10)]
        drawn = [i["item_id"] for items in first for i in items]
        assert drawn.count("i3") >= 8 and drawn.count("i4") == 0, drawn
        # and one that starts anew has them from there: its own store never saw them
        b.stop()
        b.start()
        assert settled(), (popular(a), popular(b))


def test_users_go_after_a_while(folder):
    with Two(folder, "--set", "state.ttl_days=0.5") as (a, b, redis):
        like(a, "ann", "i1")
        shown(b, "bob")
        for user in ("ann", "bob"):
            left = redis.ask("PTTL", f"palate:u:{user}")
            assert 0 < left <= 43200000, left
        a.get("/v1/users/ann/events")  # which waits until the store has all
        redis.ask("DEL", "palate:u:ann")  # as if it had
        same(len(shown(a, "ann")), 29)  # out of the store again


def test_a_wrong_password(folder):
    with Redis(password="right") as redis:
        url = f"redis://:wr0ngw0rd@127.0.0.1:{redis.port}"
        with Two(folder, url=url, redis=Redis()) as (a, _, _):
            same(a.get("/health/ready")["status"], "degraded")
            same(metric(a, "state_up"), 0)
            like(a, "ann", "i1")
            same(len(shown(a, "ann")), 29)
            log = a.log()
            assert "check the user and the password" in log, log
            said = log + a.raw("GET", "/v1/status").body.decode()
            assert "wr0ngw0rd" not in said and ":***@" in log, said


run(globals())
