"""What lies in a journal that leads into a stream: export and train see what the broker does not
have yet, and nothing twice that went through it."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from alone import Alone  # noqa: E402
from rabbitmq import RabbitMQ  # noqa: E402
from harness import palate, run, same  # noqa: E402


def test_each_event_counts_once(folder):
    def likes(first, count):
        site.post("/v1/events", [{"user_id": f"u{n % 9}", "item_id": f"i{n % 7}", "type": "like",
                                  "value": n} for n in range(first, first + count)])

    def seen():
        """By export and by train, which look for the journal beside the store."""
        journal = os.path.join(folder, "palate.db-journal.d")
        exported = sorted(int(e["value"]) for e in site.export("event", "--journal", journal))
        told = palate("train", "--store", "sqlite:palate.db", "--stream", rabbit.url("q"),
                      "--models", "aside", "--model", "popular", "--json", "-q", cwd=folder).json
        return exported, told["interactions"]

    with RabbitMQ() as rabbit, Alone(folder, "--stream", rabbit.url("q")) as site:
        likes(0, 40)
        site.wait(lambda: len(site.export("event")) == 40)
        same(seen(), (list(range(40)), 40))
        rabbit.pause()
        likes(40, 30)
        same(seen(), (list(range(70)), 70))
        same(len(site.export("event")), 40)
        rabbit.go_on()
        site.wait(lambda: len(site.export("event")) == 70)
        same(seen(), (list(range(70)), 70))


run(globals())
