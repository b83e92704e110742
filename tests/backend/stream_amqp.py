"""The promises of bus.h, kept by RabbitMQ."""
from rabbitmq import RabbitMQ
from harness import run
from streams import contract


def test_contract(_):
    with RabbitMQ() as rabbit:
        contract(rabbit.url(), group=rabbit.process.pid, denied=rabbit.url(password="wr0ng"),
                 word="wr0ng")


run(globals())
