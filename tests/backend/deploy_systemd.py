"""deploy/systemd: systemd accepts the unit and rates it as little exposed; the example of a
configuration serves; and serving and training call nothing of the kernel that the unit forbids."""
import os
import re
import shutil
import signal
import subprocess

from deploy_parts import DEPLOY
from running import Site
from server import Skip, fail
from harness import PALATE, QUICK, palate, run, same, world

UNIT = os.path.join(DEPLOY, "systemd", "palate.service")
EXPOSED_MOST = 20  # tenths: 2.0 of 10
TRAINED_S = 60


def need(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"no {name} here")
    return path


def analyze(*words, cwd=None):
    return subprocess.run([need("systemd-analyze"), *words], cwd=cwd,
                          capture_output=True, text=True, timeout=60, check=False)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_unit(folder):
    """What systemd would complain about, with the binary and its manual where they are."""
    text = read(UNIT).replace("/usr/local/bin/palate", PALATE)
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    with open(os.path.join(folder, "palate.service"), "w", encoding="utf-8") as f:
        f.write(text)
    done = analyze("verify", "./palate.service", cwd=folder)
    same((done.returncode, done.stdout, done.stderr), (0, "", ""))
    with open(os.path.join(folder, "palate.service"), "a", encoding="utf-8") as f:
        f.write("Nonsense=yes\n")
    same("Nonsense" in analyze("verify", "./palate.service", cwd=folder).stderr, True)


def test_exposure(_):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSED_MOST}", UNIT)
    if done.returncode:
        fail(done.stdout[-3000:] + done.stderr)


def test_configuration(folder):
    """The example is taken as it is, but for places that only a service may write to."""
    text = read(os.path.join(DEPLOY, "systemd", "palate.ini"))
    same(text.count("/var/lib/palate"), 2)
    text = text.replace("/var/lib/palate", folder)
    with open(os.path.join(folder, "palate.ini"), "w", encoding="utf-8") as f:
        f.write(text)
    with Site(folder) as site:
        same(site.get("/health/ready"), {"status": "ready"})
    same(os.path.exists(os.path.join(folder, "palate.db")), True)


def calls_of(name, seen):
    """The system calls of one of systemd's sets."""
    if name in seen:
        return set()
    seen.add(name)
    found = set()
    for line in analyze("syscall-filter", name).stdout.splitlines()[1:]:
        word = line.split("#")[0].strip()
        found |= calls_of(word, seen) if word.startswith("@") else {word} if word else set()
    return found


def test_system_calls(folder):
    """Under strace, as a user without rights: start, items, events, answers, a training, stop."""
    text = read(UNIT)
    allowed = calls_of("@system-service", set()) - calls_of("@privileged", set())
    same(re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE),
         ["@system-service", "~@privileged"])
    same("openat" in allowed and "chown" not in allowed and len(allowed) > 150, True)
    trace = os.path.join(folder, "trace")
    command = [need("strace"), "-f", "-qq", "-o", trace, "-e", "trace=all", "-e", "signal=none"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        raise Skip("no strace here")  # it may be forbidden in a container
    palate("import", world(folder), "--store", "sqlite:palate.db", cwd=folder)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", folder], check=True)
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
    wrapper = os.path.join(folder, "palate")  # what Site starts in place of the binary
    binary = shutil.copy(PALATE, os.path.join(folder, "binary"))
    with open(wrapper, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\nexec {' '.join(command)} {binary} \"$@\"\n")
    os.chmod(wrapper, 0o755)
    Site.start.__globals__["PALATE"] = wrapper
    # what looks for leaks can't be traced itself
    calm = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    with Site(folder, "--model", "als,popular", *QUICK, "--store", "sqlite:palate.db",
              env=calm) as site:
        site.post("/v1/items", [{"item_id": "x", "title": "X"}])
        site.post("/v1/events", {"user_id": "u", "item_id": "x", "type": "like"})
        site.recommend("u")
        site.post("/v1/train", {}, 202)
        site.wait(lambda: site.get("/v1/train")["state"] == "idle", TRAINED_S)
        same(site.get("/v1/models")["current"], 1)
        stop_traced(site)
    used = set(re.findall(r"^\d+ +(\w+)\(", read(trace), re.MULTILINE))
    same({"fdatasync", "accept4", "epoll_wait"} & used != set(), True)
    same(used - allowed, set())


def stop_traced(site):
    """strace passes no signal on: its child is told."""
    children = f"/proc/{site.process.pid}/task/{site.process.pid}/children"
    os.kill(int(read(children).split()[0]), signal.SIGTERM)
    site.process.wait(TRAINED_S)


run(globals())
