"""What src/state/state.h promises, asked of real servers by tests/unit/state: over TCP,
through a socket file, with a password, by TLS with an authority of one's own."""
import os
import subprocess

from certificates import certificate
from redis import Redis
from harness import OTHERS, fail, run


def contract(url):
    for program in OTHERS:
        done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, PALATE_TEST_STATE=url))
        if done.returncode:
            fail(f"{program} {url}:\n{done.stdout}\n{done.stderr}")


def test_over_tcp(folder):
    with Redis() as redis:
        contract(redis.url)


def test_through_a_socket_file_and_another_database(folder):
    with Redis() as redis:
        contract(f"redis+unix://{redis.path('socket')}?db=3")
        keys = redis.ask("INFO", "keyspace")
        if "db3:" not in keys or "db0:" in keys:
            fail(keys)


def test_with_a_password(folder):
    with Redis(password="s3cret:@/") as redis:
        contract(f"redis://:s3cret%3a%40%2f@127.0.0.1:{redis.port}")
        contract(f"redis://default:s3cret%3a%40%2f@127.0.0.1:{redis.port}")


def test_by_tls(folder):
    with Redis(tls=certificate(folder)) as redis:
        contract(redis.url)


run(globals())
