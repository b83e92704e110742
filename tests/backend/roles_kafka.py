"""palate serve in parts on Kafka, ClickHouse, PostgreSQL, S3 and MLflow: every acknowledged event
is in ClickHouse once and in order while each of them is killed under load, and processes are;
models are trained in one process, lie in a bucket, answer in others, and MLflow knows of each."""
import contextlib
import glob
import os
import time
from concurrent import futures

from clickhouse import ClickHouse
from kafka import Kafka
from postgres import Postgres
from s3 import S3
from split import Asker, Split, all_went_well, loads_and_askers, people_teach_it
from harness import WORLD, Skip, fail, palate, run, same
from mlflow_real import Mlflow


def parts(folder, kafka, clickhouse, postgres, s3, **env):
    clickhouse.ask("CREATE DATABASE IF NOT EXISTS palate")
    s3.make_bucket("models")
    return Split(folder, postgres.url(), "--events", clickhouse.url("palate"), "--stream",
                 kafka.url("palate"), "--set", "loop.split=random:80/20", models="s3://models/shop",
                 env=s3.env(os.path.join(folder, "cache"), **env))


def test_faults_under_load(folder):
    with Kafka() as kafka, ClickHouse() as clickhouse, Postgres() as postgres, S3() as s3:
        with parts(folder, kafka, clickhouse, postgres, s3) as split:
            split.start()
            loads, askers = loads_and_askers(split)
            time.sleep(1)
            split.pipeline.kill()
            clickhouse.kill()
            time.sleep(0.5)
            clickhouse.start()
            split.pipeline.start()
            kafka.kill()
            split.collectors[0].kill()
            split.collectors[0].start()
            time.sleep(0.5)
            kafka.start()
            postgres.kill()
            clickhouse.kill()
            time.sleep(0.5)
            postgres.start()
            clickhouse.start()
            time.sleep(1)
            all_went_well(split, loads, askers)


def trained(split):
    """Trains once more; the run as the pipeline tells of it, when answers come from its version,
    and after how many seconds they did."""
    def idle():
        return split.pipeline.get("/v1/train")["state"] == "idle"
    split.pipeline.wait(idle, 60)
    began = time.monotonic()
    run_number = split.pipeline.post("/v1/train", {}, status=202)["run"]
    split.pipeline.wait(idle, 120)
    done = split.pipeline.get("/v1/train")["runs"][0]
    same((done["run"], done["outcome"] in ("published", "held back")), (run_number, True))
    assert done["metric_name"] and done["metric"] > 0, done
    for site in split.recs if done["outcome"] == "published" else []:
        site.wait(lambda: site.get("/v1/status")["model"]["version"] == done["version"], 60)
    return done, time.monotonic() - began


def told_of(runs, done):
    """MLflow has a run for each model of the version, with what was measured."""
    models = {name: run for name, run in runs.items()
              if name.endswith(f", version {done['version']}")}
    key = done["metric_name"].replace("@", "_at_")
    same({run["status"] for run in models.values()}, {"FINISHED"})
    best = max(run["history"][key][0][1] for run in models.values())
    if abs(best - done["metric"]) > 1e-9:
        fail(f"version {done['version']}: {key} is {best} there, {done['metric']} here")


def unsent(folder):
    return glob.glob(os.path.join(folder, "cache", "**", "unsent", "*"), recursive=True)


def tracker_goes_and_comes(folder, split, tracker):
    """While it is away trainings are published as ever, and answers go on; once it is back it hears
    of them."""
    first, usual_s = trained(split)
    asker = Asker(split.recs[0])
    asker.start()
    tracker.stop()
    second, away_s = trained(split)
    assert unsent(folder), "it was away, and nothing is left to be told"
    tracker.start(warm=False)
    third, back_s = trained(split)
    asker.stop()
    same(asker.wrong, [])
    for _ in range(20):  # a slow one gets the rest by the next run, whatever that is
        if not unsent(folder):
            break
        palate("eval", "--data", "synthetic", *WORLD, "--model", "random", "--bootstrap", "0", "-q",
               "--models", "s3://models/shop", env=split.env)
    runs = tracker.runs()
    for done in (first, second, third):
        told_of(runs, done)
    same(sum(site.log().count('"level":"error"') for site in split.sites()), 0)
    print(f"trained and live after {usual_s:.1f} s, {away_s:.1f} s without MLflow, {back_s:.1f} s "
          f"with it again; slowest answer {asker.slowest:.2f} s")
    if away_s > usual_s + 12:  # it has a few seconds for its last try
        fail(f"a training took {away_s:.1f} s without MLflow, {usual_s:.1f} s with it")


def got_mlflow(future):
    """It and "", or None and why there is none."""
    try:
        return future.result(), ""
    except Skip as why:
        return None, str(why)


def test_people_teach_it(folder):
    with futures.ThreadPoolExecutor(1) as pool, Kafka() as kafka:
        starting = pool.submit(Mlflow, folder)  # which takes it a while
        with ClickHouse() as clickhouse, Postgres() as postgres, S3() as s3:
            tracker, why_not = got_mlflow(starting)
            track = {"PALATE_TRACK": f"mlflow:{tracker.url}"} if tracker else {}
            with tracker or contextlib.nullcontext(), \
                    parts(folder, kafka, clickhouse, postgres, s3, **track) as split:
                split.start(items=False)
                people_teach_it(split, 25)
                if tracker:
                    tracker_goes_and_comes(folder, split, tracker)
    if why_not:
        raise Skip(why_not)


run(globals())
