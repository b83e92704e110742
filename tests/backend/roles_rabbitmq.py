"""palate serve in parts on RabbitMQ, PostgreSQL and Redis: every acknowledged event is in the store
once and in order while each of them is killed under load, and processes are; answers go on, and
what is told counts for the next one; models are trained in one process and answer in others."""
import time

from postgres import Postgres
from rabbitmq import RabbitMQ
from redis import Redis
from split import ITEMS, Split, all_went_well, loads_and_askers, people_teach_it
from harness import run, same


def parts(folder, rabbit, postgres, redis=None):
    state = ["--state", redis.url] if redis else []
    return Split(folder, postgres.url(), "--stream", rabbit.url("palate"), *state)


def test_faults_under_load(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres, Redis(password="s3cret") as redis:
        with parts(folder, rabbit, postgres, redis) as split:
            split.start()
            loads, askers = loads_and_askers(split)
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
            all_went_well(split, loads, askers)


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


def test_people_teach_it(folder):
    with RabbitMQ() as rabbit, Postgres() as postgres, Redis() as redis:
        with parts(folder, rabbit, postgres, redis) as split:
            split.start(items=False)
            people_teach_it(split, 6)  # what is told counts at once, by Redis


run(globals())
