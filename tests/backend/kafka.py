"""A real Kafka broker for the tests: see server.py. One process in KRaft mode, from the jars that
Maven's repository has; they are kept in the user's cache, since they outlive any build."""
import os
import shutil
import subprocess
import tempfile

from server import Server, free_port, listens, need
from harness import Skip

VERSION = "3.9.1"
USER, PASSWORD = "palate", "s3cret"

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>palate</groupId><artifactId>jars</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{version}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
<version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId>
<version>1.7.36</version></dependency></dependencies></project>
"""

LOGGING = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m%n
"""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={doors},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={doors}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,SSL:SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dirs={folder}/data
auto.create.topics.enable=true
num.partitions=1
offsets.topic.num.partitions=2
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=10485760
"""


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def jars():
    """The folder with the broker's jars; brings them in the first time."""
    need("java")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "palate-tests", f"kafka-{VERSION}")
    if os.path.isdir(folder):
        return folder
    maven = need("mvn", package="maven")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    work = tempfile.mkdtemp(prefix="kafka-", dir=os.path.dirname(folder))
    try:
        with open(os.path.join(work, "pom.xml"), "w", encoding="utf-8") as out:
            out.write(POM.format(version=VERSION))
        done = subprocess.run([maven, "-q", "-B", "dependency:copy-dependencies",
                               "-DincludeScope=runtime", f"-DoutputDirectory={work}/jars"],
                              cwd=work, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise Skip(f"no Kafka from Maven's repository: {done.stdout[-300:]}")
        try:
            os.rename(os.path.join(work, "jars"), folder)
        except OSError:  # another test was quicker
            if not os.path.isdir(folder):
                raise
    except subprocess.TimeoutExpired as late:
        raise Skip("no Kafka from Maven's repository within 300 s") from late
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


class Kafka(Server):
    name = "kafka"

    def __init__(self, start=True, tls=None):
        """tls: (certificate, key) for localhost, files: then self.tls_port is served with it."""
        self.tls = tls
        super().__init__(start)

    def prepare(self):
        self.jars = jars()
        self.sasl_port, self.controller_port, self.tls_port = free_port(), free_port(), free_port()
        doors = f"PLAINTEXT://{self.host}:{self.port},SASL://{self.host}:{self.sasl_port}"
        text = PROPERTIES
        if self.tls:
            doors += f",SSL://localhost:{self.tls_port}"
            text += "ssl.keystore.type=PEM\nssl.keystore.location={folder}/keystore.pem\n"
            self.write("keystore.pem", "".join(map(read, reversed(self.tls))))
        self.write("server.properties", text.format(
            doors=doors, controller=self.controller_port, user=USER, password=PASSWORD,
            folder=self.folder))
        self.write("log4j.properties", LOGGING)
        self.format()

    def format(self):
        """Once more for another disk in the place of the data."""
        done = subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t",
                                        "cGFsYXRlLXRlc3RzLWFyZQ", "-c",
                                        self.path("server.properties")),
                              capture_output=True, text=True, check=False, cwd=self.folder,
                              timeout=120)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def java(self, *words, heap="256m"):
        return [need("java"), "-Xms64m", f"-Xmx{heap}", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                f"-Dlog4j.configuration=file:{self.folder}/log4j.properties", "-cp",
                os.path.join(self.jars, "*"), *words]

    def command(self):
        return self.java("kafka.Kafka", self.path("server.properties"))

    def ready(self):
        return all(listens(port, self.host) for port in (self.port, self.sasl_port))

    def url(self, name="NAME", query=""):
        return f"kafka://{self.host}:{self.port}/{name}?{query}"

    def tls_url(self, ca, name="NAME", host="localhost"):
        return (f"kafka://{host}:{self.tls_port}/{name}?security.protocol=ssl"
                f"&ssl.ca.location={ca}")

    def sasl_url(self, name="NAME", user=USER, password=PASSWORD):
        return (f"kafka://{self.host}:{self.sasl_port}/{name}?security.protocol=sasl_plaintext"
                f"&sasl.mechanism=PLAIN&sasl.username={user}&sasl.password={password}")
