"""palate serve in parts on RabbitMQ, PostgreSQL and Redis: every acknowledged event is in the store
once and in order while each of them is killed under load, and processes are; answers go on, and
what is told counts for the next one; models are trained in one process and answer in others."""
import time

from postgres import Postgres
from rabbitmq import RabbitMQ
from redis import Redis
from split import ITEMS, Asker, Load, Split, everything_once
from harness import palate, run, same


def parts(folder, rabbit, postgres, redis=None):
    state = ["--state", redis.url] if redis else []
    return Split(folder, postgres.url(), "--stream", rabbit.url("palate"), *state)


def test_faults_under_load(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres, Redis(password="s3cret") as redis:
        with parts(folder, rabbit, postgres, redis) as split:
            split.start()
            loads = [Load(site, f"load{i}") for i, site in enumerate(split.collectors)]
            askers = [Asker(site) for site in split.recs]
            for thread in loads + askers:
                thread.start()
            time.sleep(1)
            split.pipeline.kill()
            time.sleep(0.5)
            split.pipeline.start()
            time.sleep(0.5)
            rabbit.kill()
            redis.kill()
            time.sleep(1)
            split.collectors[0].kill()
            split.collectors[0].start()
            rabbit.start()
            redis.start()
            time.sleep(1)
            postgres.kill()
            time.sleep(1)
            postgres.start()
            time.sleep(1)
            for thread in askers + loads:
                thread.stop()
            assert all(asker.answers > 10 and not asker.wrong for asker in askers), [
                (asker.answers, asker.wrong[:3]) for asker in askers]
            count = everything_once(split, loads)
            assert count > 300, count
            assert "the stream takes nothing now" in split.collectors[1].log()
            assert "the stream takes events again" in split.collectors[1].log()
            assert "s3cret" not in "".join(site.log() for site in split.sites())
            refused = split.pipeline.raw("GET", "/metrics").body.decode()
            assert "palate_stream_refused_total 0\n" in refused, refused


def test_what_one_takes_in_others_see(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres:
        with parts(folder, rabbit, postgres) as split:
            split.start()
            one, two = split.collectors
            one.post("/v1/events", [{"user_id": "u", "item_id": "7", "type": "like"}])
            for site in split.recs:
                site.wait(lambda: "7" not in site.recommend("u", n=ITEMS))
                same(len(site.get("/v1/users/u/events")["events"]), 1)
            two.delete("/v1/items/8")
            two.delete("/v1/users/u")
            for site in split.recs:
                site.wait(lambda: "8" not in site.recommend("v", n=ITEMS))
                site.wait(lambda: "7" in site.recommend("u", n=ITEMS))


def simulate(split, rounds):
    """The share of what was shown that was liked, by round."""
    return palate("simulate", "--url", f"http://127.0.0.1:{split.recs[0].port}",
                  "--collector-url", f"http://127.0.0.1:{split.collectors[0].port}",
                  "--users", "60", "--rounds", rounds, "--set", "synth.items=120", "--set",
                  "synth.users=60", "--set", "synth.events=600", "--json", "--quiet",
                  cwd=split.folder).json["series"]["palate"]


def test_people_teach_it(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres, Redis() as redis:
        with parts(folder, rabbit, postgres, redis) as split:
            split.start(items=False)
            simulate(split, 1)  # who answers gets the catalog
            split.recs[0].wait(lambda: split.recs[0].get("/v1/status")["catalog"]["items"] == 120)
            shares = simulate(split, 6)  # what is told counts at once, by Redis
            assert max(shares[1:]) > shares[0] + 0.1, shares
            split.pipeline.post("/v1/train", {}, status=202)
            for site in split.recs:
                site.wait(lambda: site.get("/v1/status")["model"]["version"] == 1, 60)


run(globals())
