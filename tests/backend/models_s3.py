"""Models in a bucket of a real S3 server: the registry's contract, damage, a server that dies in
the middle of an upload, and a site that trains there and serves from there."""
import atexit
import importlib.util
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3 import S3, Wire  # noqa: E402
from harness import OTHERS, QUICK, clean_environment, fail, palate, refuses  # noqa: E402
from harness import run, same, world  # noqa: E402

# The other server.py: palate itself as a server.
api = importlib.util.spec_from_file_location("api_server", os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "api", "server.py"))
api_server = importlib.util.module_from_spec(api)
api.loader.exec_module(api_server)
Site = api_server.Site

BUCKET = "models"
shared = []  # one server for all: it takes seconds to start


def bucket():
    """The server, running, with the bucket empty but for what other tests keep elsewhere in it."""
    if not shared:
        shared.append(S3())
        atexit.register(shared[0].close)
        shared[0].make_bucket(BUCKET)
    if not shared[0].process:
        shared[0].start()
    return shared[0]


def test_the_contract(folder):
    """What a folder does, a bucket does; and what a bucket adds."""
    s3 = bucket()
    env = clean_environment(**s3.env(os.path.join(folder, "cache")),
                            PALATE_TEST_BUCKET=f"s3://{BUCKET}")
    for program in OTHERS:
        done = subprocess.run([program], env=env, capture_output=True, timeout=120, check=False)
        if done.returncode:
            fail(f"{program}: {done.stdout.decode()}\n{done.stderr.decode()}")


def train(folder, env, root, *more, **how):
    data = os.path.join(folder, "world.palate")
    if not os.path.exists(data):
        world(folder)
    return palate("train", "--data", data, "--model", "als,popular", *QUICK, "--models",
                  root, "--json", *more, env=env, cwd=folder, **how)


def test_trained_here_served_there(folder):
    """One machine trains, another serves what it published; a second version is taken on a call."""
    root = f"s3://{BUCKET}/site"
    s3 = bucket()
    here, there = (s3.env(os.path.join(folder, name)) for name in ("here", "there"))
    same(train(folder, dict(here, PALATE_TRACK=""), root).json["version"], 1)
    same(s3.get(BUCKET, "site/CURRENT")[:7], b"000001 ")
    if os.path.exists(os.path.join(folder, "s3:")):
        fail("a folder was made of the address")
    runs = palate("models", "runs", "--models", root, "--json", env=here).json["runs"]
    same(bool(runs), True)
    with Site(folder, "--models", root, env=there) as site:
        same(site.get("/v1/models")["current"], 1)
        train(folder, here, root)
        same(site.post("/v1/models/reload", {})["version"], 2)
        listed = site.get("/v1/models")["versions"]
        same([(v["version"], v["live"]) for v in listed], [(2, True), (1, False)])
        s3.kill()  # what is loaded goes on answering; a reload says why not
        site.post("/v1/models/reload", {}, status=500)
        answer = site.post("/v1/recommendations", {"history": [], "n": 5})
        same((answer["model_version"], len(answer["items"])), (2, 5))
    with Site(folder, "--models", root, env=there) as site:  # from this machine's copy
        answer = site.post("/v1/recommendations", {"history": [], "n": 5})
        same((answer["model_version"], len(answer["items"])), (2, 5))
        if "version 2 answers instead of the live one: cannot reach" not in site.log():
            fail("the log does not say that the server is away")


def test_a_server_that_dies_in_the_middle_of_an_upload(folder):
    """The run fails with one line, what is live stays, and the next run works."""
    root, s3 = f"s3://{BUCKET}/dying", bucket()
    env = s3.env(os.path.join(folder, "cache"))
    train(folder, env, root)
    before = s3.get(BUCKET, "dying/CURRENT")
    wire = Wire(s3.port, 20000, s3.kill)
    ended = train(folder, dict(env, AWS_ENDPOINT_URL=f"http://127.0.0.1:{wire.port}"), root,
                  status=None)
    if ended.status != 1 or not wire.ended or f"cannot reach {root}" not in ended.err:
        fail(str(ended))
    s3.start()
    same(s3.get(BUCKET, "dying/CURRENT"), before)
    versions = palate("models", "--models", root, "--json", env=env).json["versions"]
    same([v["version"] for v in versions], [1])
    same(s3.get(BUCKET, "dying/000002/manifest.json"), None)
    train(folder, env, root)
    same(s3.get(BUCKET, "dying/CURRENT")[:7], b"000003 ")


def test_wrong_words_are_refused(folder):
    """Before anything is trained."""
    s3 = bucket()
    env = s3.env(os.path.join(folder, "cache"))
    data = world(folder)
    args = ["train", "--data", data, "--model", "popular", "--models"]
    wrong = dict(env, AWS_SECRET_ACCESS_KEY="not-this")
    ended = refuses(1, *args, f"s3://{BUCKET}/x", "--quiet", env=wrong, cwd=folder,
                    says=["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"])
    if "not-this" in ended.err:
        fail("a secret in a message")
    refuses(1, *args, "s3://nobody-made-it/x", "--quiet", env=env, cwd=folder,
            says="make the bucket first")
    refuses(2, *args, "s3://UPPER/x", "--quiet", env=env, cwd=folder, says="name of a bucket")
    refuses(1, *args, "gcs://bucket/x", "--quiet", env=env, cwd=folder,
            says=["no such kind of models", "s3://BUCKET/PREFIX"])


run(globals())
