"""What a process says of itself by GET /health/ready."""
import time

from harness import fail, same


def health(site):
    """"ready", ["degraded", what it lacks], or the code of the problem."""
    got = site.raw("GET", "/health/ready")
    if got.status == 503:
        return got.json["code"]
    same(got.status, 200)
    return [got.json["status"], *got.json["lacks"]] if "lacks" in got.json else got.json["status"]


def comes(site, what, seconds=30):
    began = time.monotonic()
    while health(site) != what:
        if time.monotonic() - began > seconds:
            fail(f"{health(site)} instead of {what} after {seconds} s: {site.log()[-2000:]}")
        time.sleep(0.05)
