"""deploy/docker: the Dockerfile's own steps, read from it, are run in bare Debian roots, one per
stage, as docker would; then what it says to start is started as the user that it names, its health
check is run, and it serves, trains and stops there. Needs root, mmdebstrap, Debian's packages."""
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time

from deploy_parts import DEPLOY
from server import Skip, fail
from harness import ROOT, run, same

DOCKERFILE = os.path.join(DEPLOY, "docker", "Dockerfile")
SUITE, STEP_S = "bookworm", 900
SIZE_MOST_MB = 150  # without Debian itself
# What the images of Debian that are called slim do without, and how they are faster.
SLIM = ["--include=usr-is-merged", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *[f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ["man", "locale", "info"]],
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=force-unsafe-io"]
# A mount, process and network namespace of its own: nothing is left, and port 8080 is free.
INSIDE = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ -e /sys/class/net/lo ] && ip link set lo up 2>/dev/null || true
exec chroot "$@"
"""


def instructions():
    """[(word, rest)] of the Dockerfile; continued lines are one, comments are gone."""
    with open(DOCKERFILE, encoding="utf-8") as f:
        text = re.sub(r"^\s*#.*\n", "", f.read(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in map(str.strip, lines) if line]


class Stage:
    """A root folder, and what the instructions so far say of it."""

    def __init__(self, root):
        self.root, self.env = root, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                                             "/sbin:/bin", "HOME": "/root"}
        self.work, self.user, self.entry, self.command, self.health = "/", "0:0", [], [], []
        self.ports = []

    def inside(self, path):
        return self.root + os.path.normpath(os.path.join(self.work, path))

    def argv(self, command, network=True, user=None):
        space = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        space += [] if network else ["--net"]
        who = user or self.user
        return [*space, "sh", "-c", INSIDE, "-", self.root, f"--userspec={who}", self.root,
                "/bin/sh", "-c", f"cd {self.work}\n{command}"]

    def execute(self, command, **how):
        done = subprocess.run(self.argv(command, **how), env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=STEP_S, check=False)
        if done.returncode:
            fail(f"`{command}` ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
        return done.stdout


def bare_root(place):
    """A Debian with what debian:12-slim has, from the packages that this machine uses."""
    source = next((path for path in ["/etc/apt/sources.list.d/debian.sources",
                                     "/etc/apt/sources.list"]
                   if os.path.exists(path) and SUITE in open(path, encoding="utf-8").read()), None)
    if not source:
        raise Skip("no bookworm here")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *SLIM, SUITE, place, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=STEP_S, check=False)
    if done.returncode:
        raise Skip("no bookworm here")
    for path in ["/etc/resolv.conf", "/etc/hosts"]:
        shutil.copy(path, place + path)
    ways = "/etc/apt/apt.conf.d"  # how this machine reaches the packages: proxies, timeouts
    for name in os.listdir(ways):
        with open(os.path.join(ways, name), encoding="utf-8") as f:
            if "Acquire" in f.read():
                shutil.copy(os.path.join(ways, name), place + ways)


def ignored():
    with open(DOCKERFILE + ".dockerignore", encoding="utf-8") as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def context(place):
    """What docker would be sent: the sources but for what is ignored."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                          capture_output=True, text=True)
    for path in done.stdout.splitlines():
        whole = os.path.join(ROOT, path)
        if os.path.isfile(whole) and not any(fnmatch.fnmatch(path.split("/")[0], pattern)
                                             for pattern in ignored()):
            os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
            shutil.copy(whole, os.path.join(place, path))


def copy(stage, stages, sources, words):
    place = sources
    if words[0].startswith("--from="):
        place = stages[words.pop(0).split("=")[1]].root
    source, target = os.path.join(place, words[0].lstrip("/")), stage.inside(words[1])
    if os.path.isdir(source):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)


def build(folder):
    """Carries the Dockerfile out; the last stage."""
    sources, bare = os.path.join(folder, "sources"), os.path.join(folder, "bare")
    context(sources)
    bare_root(bare)
    stages, stage = {}, None
    for word, rest in instructions():
        words = shlex.split(rest)
        if word == "FROM":
            same(words[0], "debian:12-slim")
            root = tempfile.mkdtemp(dir=folder)
            subprocess.run(["cp", "-a", bare + "/.", root], check=True)
            stage = stages[words[2] if len(words) > 2 else "last"] = Stage(root)
        elif word == "WORKDIR":
            stage.work = rest
            os.makedirs(stage.inside("."), exist_ok=True)
        elif word == "COPY":
            copy(stage, stages, sources, words)
        elif word == "RUN":
            began = time.monotonic()
            stage.execute(rest)
            print(f"{time.monotonic() - began:4.0f} s for {rest[:60]}", flush=True)
        elif word == "ENV":
            stage.env.update(pair.split("=", 1) for pair in words)
        elif word == "USER":
            stage.user = rest
        elif word == "EXPOSE":
            stage.ports = words
        elif word == "ENTRYPOINT":
            stage.entry = json.loads(rest)
        elif word == "CMD":
            stage.command = json.loads(rest)
        elif word == "HEALTHCHECK":
            stage.health = json.loads(rest[rest.index("CMD") + 3:])
        elif word not in ("VOLUME", "STOPSIGNAL"):
            fail(f"this test does not know {word}")
    return stages["last"]


# What a person would try, in the container: $SERVE starts it, $HEALTH is its health check.
TRY = """

$SERVE >/tmp/out 2>&1 & server=$!
for i in $(seq 200); do $HEALTH 2>/dev/null && break; sleep .1; done
$HEALTH || { cat /tmp/out; exit 1; }
set -e
call() { curl -fsS -H 'Content-Type: application/json' "$@"; echo; }
call http://127.0.0.1:8080/v1/events -d '{"user_id": "u", "item_id": "x"}'
call http://127.0.0.1:8080/v1/users/v/recommendations
id -u
touch /etc/x 2>/dev/null && exit 3
command -v gcc && exit 4
kill -TERM $server
wait $server
$HEALTH 2>/dev/null && exit 5
ls palate.db
palate train --data synthetic --set synth.users=200 --set synth.items=100 \
    --set synth.events=6000 --model als,popular,trees --models /tmp/trained -q
test -s /tmp/trained/000001/trees.safetensors
"""


def test_airflow_image_has_the_same_libraries(_):
    """deploy/airflow/Dockerfile takes the binary from here, so it needs what is installed here."""
    found = []
    for name in ["docker", "airflow"]:
        with open(os.path.join(DEPLOY, name, "Dockerfile"), encoding="utf-8") as f:
            found.append(sorted(re.findall(r"\blib[a-z][\w.+-]*\d\b(?:-pthread)?", f.read())))
    same((found[0], len(found[0]) > 10), (found[1], True))


def size_mb(root):
    return sum(os.lstat(os.path.join(place, name)).st_blocks * 512
               for place, _, names in os.walk(root) for name in names) / 1e6


def test_image(folder):
    if os.geteuid() != 0:
        raise Skip("no root here")
    for name in ["mmdebstrap", "unshare", "git"]:
        if not shutil.which(name):
            raise Skip(f"no {name} here")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "true"], check=False,
                      capture_output=True).returncode:
        raise Skip("no namespaces here")
    image = build(folder)
    debian = size_mb(os.path.join(folder, "bare"))
    same((image.user, image.ports, image.work), ("10001:10001", ["8080"], "/var/lib/palate"))
    size = size_mb(image.root) - debian
    print(f"the image adds {size:.0f} MB to the {debian:.0f} MB of this Debian")
    same(size < SIZE_MOST_MB, True)
    image.env.update(PALATE_INSECURE="true", SERVE=shlex.join(image.entry + image.command),
                     HEALTH=shlex.join(image.health))
    print(image.execute(TRY, network=False))


run(globals())
