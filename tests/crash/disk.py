"""A disk that is full, or read-only: what can't be kept is refused with 503, answers go on, nothing
that was acknowledged is lost, and all is well again once there is room. On a file system of a few
megabytes of this test's own, in a mount namespace."""
import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from server import Site  # noqa: E402
from harness import Skip, fail, refuses, run, same  # noqa: E402

INSIDE = "PALATE_DISK_TEST"
DISK_MB, BALLAST_MB, BATCH = 24, 8, 500
OPTIONS = ["--store", "sqlite:disk/palate.db", "--models", "disk/models",
           "--set", "journal.segment_bytes=1048576", "--set", "live.served=false"]


@contextlib.contextmanager
def small_disk(folder):
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", disk], check=True,
                   timeout=60)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=False, timeout=60)


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True, timeout=60)


def events(number):
    """A batch whose ids say which it is; the padding takes room."""
    return [{"user_id": f"user-{number % 7}", "item_id": f"item-{i % 50}", "type": "view",
             "event_id": f"{number}-{i}-" + "x" * 200} for i in range(BATCH)]


def offer(site, number):
    """Posts a batch; whether it was taken. A refusal must be the right one."""
    got = site.raw("POST", "/v1/events", json.dumps(events(number)).encode())
    if got.status == 503 and got.json["code"] in ("journal_failing", "busy"):
        same("Retry-After" in got.headers, True)
        return False
    same((got.status, got.body), (200, b'{"accepted":%d}' % BATCH))
    return True


def fill(site, taken, most=2000):
    """Posts until a batch is refused; the numbers of those taken are added."""
    number = taken[-1] + 1 if taken else 0
    while number < most:
        if not offer(site, number):
            return
        taken.append(number)
        number += 1
    fail(f"{most} batches fit into {DISK_MB} MB")


def goes_on(site):
    """Answers that need no room."""
    same(len(set(site.recommend("somebody", n=10))), 10)
    site.get("/health/live")
    same(site.get("/v1/items", limit=5)["total"] >= 50, True)


def free_mb(site):
    """What the server tells Prometheus of its journal's disk."""
    lines = site.raw("GET", "/metrics").body.decode().splitlines()
    [value] = [x.split()[1] for x in lines if x.startswith("palate_journal_free_bytes ")]
    return float(value) / (1 << 20)


def check_all_there(site, taken):
    """Each batch that was taken once: its event_ids make the retries of a refused one harmless."""
    expected = {}
    for number in taken:
        user = f"user-{number % 7}"
        expected[user] = expected.get(user, 0) + BATCH
    for user, events_of in expected.items():
        same((user, site.get(f"/v1/users/{user}")["event_count"]), (user, events_of))


def test_full(folder):
    with small_disk(folder) as disk:
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb") as out:
            out.write(b"x" * (BALLAST_MB << 20))
        taken = []
        with Site(folder, *OPTIONS) as site:
            same(DISK_MB - BALLAST_MB - 2 < free_mb(site) <= DISK_MB - BALLAST_MB, True)
            fill(site, taken)
            same(free_mb(site) < BALLAST_MB / 2, True)
            if len(taken) < 3:
                fail(f"only {len(taken)} batches were taken")
            goes_on(site)
            os.remove(ballast)
            site.wait(lambda: offer(site, taken[-1] + 1))
            taken.append(taken[-1] + 1)
            goes_on(site)
            check_all_there(site, taken)
            site.kill()
            site.start()
            check_all_there(site, taken)


def test_read_only(folder):
    with small_disk(folder) as disk:
        with Site(folder, *OPTIONS) as site:
            same([offer(site, n) for n in (0, 1)], [True, True])
            site.stop()
            remount(disk, "ro")
            refuses(1, "serve", "--listen", "127.0.0.1:0", *OPTIONS, cwd=folder,
                    says="disk/palate.db")
            remount(disk, "rw")
            site.start()
            check_all_there(site, [0, 1])
            same(offer(site, 2), True)


if os.environ.get(INSIDE):
    run(globals())
else:
    tried = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)

    def test_disk(folder):
        if tried.returncode:
            raise Skip("no mount namespace here: " + tried.stderr.decode().strip())

    if tried.returncode:
        run({"test_disk": test_disk})
    else:
        sys.exit(subprocess.run(["unshare", "-rm", sys.executable, *sys.argv], check=False,
                                env={**os.environ, INSIDE: "1"}).returncode)
