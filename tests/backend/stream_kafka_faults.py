"""Kafka that is killed, asks for a password, is spoken to by TLS, and has topics that somebody else
made."""
import subprocess

from kafka import Kafka
from certificates import certificate
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


def test_through_tls(folder):
    cert, key, ca = certificate(folder, "localhost")
    with Kafka(tls=(cert, key)) as kafka:
        contract(kafka.tls_url(ca), only="o*_*")
        # of another authority, and under a name that is not the certificate's
        for url in (kafka.tls_url("/etc/ssl/certs/ca-certificates.crt", "other"),
                    kafka.tls_url(ca, "name", host="127.0.0.1")):
            says(Load(url, "publish", 1, "once", "wait=1500").end(1), "SSL|ssl|certificate")


run(globals())
