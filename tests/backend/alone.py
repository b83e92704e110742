"""One process of palate that does everything, under load: for tests that take something away from
it and look whether all that it acknowledged is in its store in the end."""
import json
import os

from running import Site
from split import ITEMS, Asker, Load, everything_once
from harness import fail, palate


class Alone(Site):
    """words: options; where: those that also say where the store is (--store, --events)."""

    def __init__(self, folder, *words, where=(), env=None, **how):
        self.where = ["--store", "sqlite:palate.db", *where]
        super().__init__(folder, *self.where, *words, "--set", "live.served=false", env=env, **how)

    def export(self, what, *words):
        """What the store has of a kind ("event"), in its order; words: as --journal, whose rest
        would be there, too, if it were found."""
        words = words or ["--journal", os.path.join(self.folder, "none")]
        out = os.path.join(self.folder, "export.jsonl")
        if os.path.exists(out):
            os.remove(out)
        palate("export", *self.where, "--output", out, *words, cwd=self.folder, env=self.env)
        with open(out, encoding="utf-8") as lines:
            return [row[what] for row in map(json.loads, lines) if what in row]

    def said(self, text):
        """How many lines of the log have it."""
        return sum(text in line for line in self.log().splitlines())


class Busy:
    """A site with a catalog, that is told and asked all the time."""

    def __init__(self, site):
        self.site = site
        site.post("/v1/items", [{"item_id": str(i), "title": f"Item {i}"} for i in range(ITEMS)])
        self.load, self.asker = Load(site, "load0", pause_s=0.005), Asker(site)
        self.load.start()
        self.asker.start()
        self.goes_on(100)

    def goes_on(self, more=50):
        """Until so many more events were acknowledged."""
        before = self.load.count()
        self.site.wait(lambda: self.load.count() >= before + more, 60)

    def end(self, wait_s=90):
        """Stops both: every list was one, and all that was acknowledged is stored once, in order.
        Returns how many events that are."""
        self.load.stop()
        self.asker.stop()
        if self.asker.wrong or self.asker.answers < 10:
            fail(f"{self.asker.answers} answers, wrong ones: {self.asker.wrong[:3]}")
        return everything_once(self.site, [self.load], wait_s)
