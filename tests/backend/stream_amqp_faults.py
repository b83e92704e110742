"""RabbitMQ that is killed, short of memory, spoken to through TLS, and declared otherwise."""
import subprocess

from rabbitmq import PASSWORD, USER, RabbitMQ
from harness import run
from streams import Load, contract, killed_in_the_middle, says


def make_certificates(folder):
    """An authority, and a certificate by it for localhost: (its file, certificate, key)."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "csr.pem")
    openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-copy_extensions", "copy", "-out", "cert.pem")
    return [f"{folder}/{name}" for name in ("ca.pem", "cert.pem", "key.pem")]


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
    ca, cert, key = make_certificates(folder)
    with RabbitMQ(tls=(cert, key)) as rabbit:
        through_tls(rabbit, ca)
        declared_otherwise(rabbit)
        without_memory(rabbit)


run(globals())
