"""palate serve in parts on RabbitMQ and one SQLite file: every acknowledged event is in the store
once and in order while brokers and processes are killed; answers go on, and follow; models are
trained in one process and answer in others."""
import os
import time

from rabbitmq import RabbitMQ
from split import ITEMS, Asker, Load, Split, everything_once
from harness import palate, run, same


def parts(folder, rabbit, **how):
    return Split(folder, "sqlite:" + os.path.join(folder, "palate.db"), "--stream",
                 rabbit.url("palate"), **how)


def test_faults_under_load(folder):
    with RabbitMQ() as rabbit:
        with parts(folder, rabbit) as split:
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
            time.sleep(1)
            split.collectors[0].kill()
            split.collectors[0].start()
            rabbit.start()
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


def test_people_are_served_by_parts(folder):
    with RabbitMQ() as rabbit:
        with parts(folder, rabbit) as split:
            split.start()
            one, two = split.recs
            split.collectors[0].post("/v1/events", [{"user_id": "u", "item_id": "7",
                                                     "type": "like"}])
            for site in (one, two):
                site.wait(lambda: "7" not in site.recommend("u", n=ITEMS))
                same(len(site.get("/v1/users/u/events")["events"]), 1)
            split.collectors[1].delete("/v1/items/8")
            split.collectors[1].delete("/v1/users/u")
            for site in (one, two):
                site.wait(lambda: "8" not in site.recommend("v", n=ITEMS))
                site.wait(lambda: "7" in site.recommend("u", n=ITEMS))
            # a site of people: the share of likes rises, and the models they taught are loaded
            address = f"http://127.0.0.1:{one.port}"
            told = palate("simulate", "--url", address, "--collector-url",
                          f"http://127.0.0.1:{split.collectors[0].port}", "--users", "60",
                          "--rounds", "6", "--set", "synth.items=120", "--set", "synth.users=60",
                          "--set", "synth.events=600", "--json", "--quiet", cwd=folder)
            shares = told.json["series"]["palate"]
            assert max(shares[1:]) > shares[0] + 0.05, shares
            split.pipeline.post("/v1/train", {}, status=202)
            for site in (one, two):
                site.wait(lambda: site.get("/v1/status")["model"]["version"] == 1, 60)


run(globals())
