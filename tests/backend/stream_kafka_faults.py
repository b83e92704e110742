"""Kafka that is killed, asks for a password, and has topics that somebody else made."""
import subprocess

from kafka import Kafka
from harness import run
from streams import Load, contract, killed_in_the_middle, says


def make_topic(kafka, name, *words):
    subprocess.run(kafka.java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
                              f"127.0.0.1:{kafka.port}", "--create", "--topic", name, *words),
                   check=True, capture_output=True, timeout=120)


def test_killed(_):
    with Kafka() as kafka:
        killed_in_the_middle(kafka, kafka.url("killed"), kafka.url("rests"), 150000)


def test_password_and_topics(_):
    with Kafka() as kafka:
        contract(kafka.sasl_url(), only="o*_*")
        says(Load(kafka.sasl_url("denied", password="wr0ng"), "publish", 1, "once",
                  "wait=500").end(1), "does not let us in: .*uthentication")
        make_topic(kafka, "small", "--partitions", "2", "--config", "max.message.bytes=4000")
        Load(kafka.url("small"), "publish", 10).end()
        says(Load(kafka.url("small"), "publish", 10, "once", "size=5000").end(1),
             "max.message.bytes")
        Load(kafka.url("small"), "receive", 10).end()
        make_topic(kafka, "wide", "--partitions", "300")
        says(Load(kafka.url("wide"), "publish", 1, "once", "wait=500").end(1), "300 partitions")
        says(Load(kafka.url("copies", query="replication=3"), "publish", 1, "once",
                  "wait=500").end(1), "replication")


run(globals())
