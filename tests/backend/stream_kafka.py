"""The promises of bus.h, kept by Kafka."""
from kafka import Kafka
from harness import run
from streams import contract


def test_contract(_):
    with Kafka() as kafka:
        contract(kafka.url(), group=kafka.process.pid, denied=kafka.sasl_url(password="wr0ng"),
                 word="wr0ng")


run(globals())
