"""palate serve in parts on Kafka, ClickHouse, PostgreSQL and S3: every acknowledged event is in
ClickHouse once and in order while each of them is killed under load, and processes are; models are
trained in one process, lie in a bucket, and answer in others."""
import os
import time

from clickhouse import ClickHouse
from kafka import Kafka
from postgres import Postgres
from s3 import S3
from split import Split, all_went_well, loads_and_askers, people_teach_it
from harness import run


def parts(folder, kafka, clickhouse, postgres, s3):
    clickhouse.ask("CREATE DATABASE IF NOT EXISTS palate")
    s3.make_bucket("models")
    return Split(folder, postgres.url(), "--events", clickhouse.url("palate"), "--stream",
                 kafka.url("palate"), models="s3://models/shop",
                 env=s3.env(os.path.join(folder, "cache")))


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


def test_people_teach_it(folder):
    with Kafka() as kafka, ClickHouse() as clickhouse, Postgres() as postgres, S3() as s3:
        with parts(folder, kafka, clickhouse, postgres, s3) as split:
            split.start(items=False)
            people_teach_it(split, 25)


run(globals())
