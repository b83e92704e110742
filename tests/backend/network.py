"""A network of its own for servers, whose cable can be cut: a namespace for them, and a router
between it and this one. While it is cut the router drops every packet and says nothing, so neither
side hears of it: only timeouts tell.

    with Net() as net, Redis() as redis:      # redis runs there, palate and the test here
        net.cut()
        net.heal()
"""
import os
import shutil
import subprocess

from harness import Skip, fail
from server import Server

ROUNDS = 50  # addresses that are tried


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


class Net:
    """here -- router -- there. As a context, servers made in it are put there."""

    def __init__(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise Skip("no network namespaces here: they want root and iproute2")
        self.name = f"palate{os.getpid()}"
        self.router = self.name + "r"
        for number in range(ROUNDS):
            # 198.18.0.0/15 is for tests of networks, and nobody's (RFC 2544)
            self.near = f"198.18.{(os.getpid() + number) % 256}."
            if not ip("route", "show", "root", self.near + "0/24").stdout.strip():
                break
        self.here, self.there = self.near + "1", self.near + "6"
        try:
            self.lay()
        except BaseException:
            self.close()
            raise

    def lay(self):
        for space in (self.router, self.name):
            made = ip("netns", "add", space)
            if made.returncode:
                raise Skip("no network namespaces here: " + made.stderr.strip().split("\n")[0])
        near, far = self.near, self.name
        for words in [
                f"link add {far}a type veth peer name e0 netns {self.router}",
                f"-n {self.router} link add e1 type veth peer name e0 netns {far}",
                f"addr add {near}1/30 dev {far}a",
                f"link set {far}a up",
                f"-n {self.router} addr add {near}2/30 dev e0",
                f"-n {self.router} addr add {near}5/30 dev e1",
                f"-n {self.router} link set e0 up",
                f"-n {self.router} link set e1 up",
                f"-n {far} addr add {near}6/30 dev e0",
                f"-n {far} link set e0 up",
                f"-n {far} link set lo up",
                f"-n {far} route add default via {near}5",
                f"route add {near}4/30 via {near}2"]:
            self.must(ip(*words.split()))
        self.must(subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.router}", "sh", "-c",
             "echo 1 > /proc/sys/net/ipv4/ip_forward"],
            capture_output=True, text=True, check=False))

    def must(self, done):
        if done.returncode:
            fail(f"{done.args}: {done.stderr}")

    def inside(self, command):
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def cut(self):
        for address in (self.here, self.there):
            self.must(ip("-n", self.router, "route", "add", "blackhole", address + "/32"))

    def heal(self):
        for address in (self.here, self.there):
            self.must(ip("-n", self.router, "route", "del", "blackhole", address + "/32"))

    def close(self):
        ip("link", "del", self.name + "a")
        for space in (self.name, self.router):
            ip("netns", "del", space)

    def __enter__(self):
        Server.net = self
        return self

    def __exit__(self, *_):
        Server.net = None
        self.close()
