"""RabbitMQ that is killed, short of memory, spoken to through TLS, and declared otherwise."""
from rabbitmq import PASSWORD, USER, RabbitMQ
from certificates import certificate
from harness import run
from streams import Load, contract, killed_in_the_middle, says


def test_killed(_):
    with RabbitMQ() as rabbit:
        killed_in_the_middle(rabbit, rabbit.url("killed"), rabbit.url("rests"), 100000)


def without_memory(rabbit):
    url = rabbit.url("alarm")
    Load(url, "publish", 1000).end()
    rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1")
    says(Load(url, "publish", 1000, "once", "wait=2000").end(1), "takes no messages now: .*memory")
    rabbit.ctl("set_vm_memory_high_watermark", "0.4")
    Load(url, "publish", 1000).end()


def through_tls(rabbit, ca):
    word = PASSWORD.replace("/", "%2F")
    host = f"amqps://{USER}:{word}@localhost:{rabbit.tls_port}/?queue=NAME"
    contract(f"{host}&ca={ca}", only="o*_*")
    says(Load(host, "publish", 1, "once", "wait=500").end(1), "SSL|TLS|cert")
    other = host.replace("localhost", "127.0.0.1")
    says(Load(f"{other}&ca={ca}", "publish", 1, "once", "wait=500").end(1), "SSL|TLS|cert")


def declared_otherwise(rabbit):
    url = rabbit.url("shards")
    Load(url, "publish", 10).end()
    says(Load(url + "&shards=8", "publish", 10, "once", "wait=500").end(1),
         "another number of shards than 8")
    quorum = rabbit.url("quorum", query="&type=quorum")
    Load(quorum, "publish", 2000).end()
    Load(quorum, "receive", 2000).end()
    classic = rabbit.url("quorum")
    says(Load(classic, "publish", 1, "once", "wait=500").end(1), "give the same .type=")
    elsewhere = rabbit.url().replace("/?", "/nowhere?")
    says(Load(elsewhere, "publish", 10, "once", "wait=500").end(1), "nowhere")


def test_alarm_tls_and_declarations(folder):
    cert, key, ca = certificate(folder, "localhost")
    with RabbitMQ(tls=(cert, key)) as rabbit:
        through_tls(rabbit, ca)
        declared_otherwise(rabbit)
        without_memory(rabbit)


run(globals())
