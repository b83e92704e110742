"""The figures that the page draws: of the data in /v1/stats, of a version's models in its
report."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import QUICK, palate, run, same, world  # noqa: E402


def near(got, expected):
    same(abs(got - expected) <= 1e-9 * max(1, abs(expected)), True)


def by_id(figures):
    return {figure["id"]: figure for figure in figures}


def check_figures(figures):
    """Each is whole: a value for each label, in every series."""
    same(len(by_id(figures)), len(figures))
    for figure in figures:
        rows = len(figure["labels"])
        for series in figure["series"]:
            for part in ["values", "low", "high"]:
                same(len(series.get(part, figure["labels"])), rows)
            same(-1 <= series["best"] < rows, True)
        same(len(figure.get("at", figure["labels"])), rows)
        same(bool(figure["title"] and figure["says"]), True)


def test_figures_of_the_data(folder):
    """The figures of /v1/stats say what its numbers say, and what was put in."""
    with Site(folder) as site:
        site.post("/v1/items", [{"item_id": f"new{i}"} for i in range(6)])
        site.post("/v1/events", [{"user_id": f"u{u}", "item_id": f"i{i}", "type": "like"}
                                 for u in range(4) for i in range(u + 1)])
        stats = site.get("/v1/stats")
    check_figures(stats["figures"])
    figures = by_id(stats["figures"])
    for name in ["popularity", "activity"]:
        same(figures[name]["series"][0]["values"], stats[name]["counts"])
    same(figures["activity"]["series"][0]["values"], [1, 2, 1])
    columns = {series["name"]: series["values"] for series in figures["cold"]["series"]}
    same([columns["Items"], columns["Users"]], [[6, 1, 3, 0, 0, 0], [0, 1, 3, 0, 0, 0]])
    # Items with 1, 2, 3 and 4 events: a tenth of them is the least popular quarter's.
    lorenz = figures["lorenz"]["series"][0]["values"]
    same([round(lorenz[at], 6) for at in [0, 25, 50, 100]], [0, 10, 30, 100])
    same([round(100 * share, 6) for share in stats["popularity"]["lorenz"]],
         [round(share, 6) for share in lorenz])
    likes = {series["name"]: series["values"] for series in figures["likes"]["series"]}
    same((likes["Users"], likes["Users, %"]), ([4, 2, 0, 0, 0, 0], [100, 50, 0, 0, 0, 0]))


def test_report_of_a_version(folder):
    """What train measured, as figures; a version that was not measured says so."""
    data = world(folder)
    train = ["train", "--data", data, "--models", os.path.join(folder, "models"), *QUICK]
    palate(*train, "--model", "als")
    told = palate(*train, "--model", "als,popular,random", "--split", "random:80/20", "--metrics",
                  "ndcg@10,coverage@10,novelty@10", "--json").json
    with Site(folder) as site:
        plain, report = (site.get(f"/v1/models/{n}/report") for n in [1, 2])
        same(plain, {"version": 1, "measured": False, "summary": None, "facts": [],
                     "figures": []})
        same([v["measured"] for v in site.get("/v1/models")["versions"]], [True, False])
    check_figures(report["figures"])
    figures = by_id(report["figures"])
    results = told["models"]
    same(figures["metric-1"]["labels"], [each["model"] for each in results])
    for place, name in enumerate(["ndcg@10", "coverage@10", "novelty@10"], 1):
        series = figures[f"metric-{place}"]["series"][0]
        for i, result in enumerate(results):
            near(series["values"][i], result["metrics"][name])
            if name in result["intervals"]:
                near(series["low"][i], result["intervals"][name][0])
                near(series["high"][i], result["intervals"][name][1])
    best = max(results, key=lambda each: each["metrics"]["ndcg@10"])
    same(report["summary"].startswith(f"Best by ndcg@10 is {best['model']} with "), True)
    same([series["name"].split(" (")[0].endswith("events")
          for series in figures["groups"]["series"]], [True] * 3)
    same([name for name in ["overview", "against-coverage", "against-novelty", "training",
                            "memory"] if name not in figures], [])
    same(figures["memory"]["series"][0]["values"][0] > 1, True)
    chance = {series["name"]: series["values"] for series in figures["overview"]["series"]}["p"]
    same([p is None for p in chance], [each is best for each in results])
    same([fact["name"] for fact in report["facts"]], ["Split", "Protocol", "Intervals"])
    same("random:80/20" in report["facts"][0]["text"], True)


def test_what_the_loop_measures(folder):
    """A version that the server trained by itself has its figures, too, with intervals."""
    start = int(time.time() * 1000) - 40 * 86400000
    with Site(folder, "--set", "loop.models=als,popular", "--set",
              "loop.set=als.factors=8,als.epochs=3") as site:
        site.post("/v1/events", [{"user_id": f"u{u}", "item_id": f"i{(u * u + 7 * k) % 60}",
                                  "type": "like",
                                  "timestamp": start + 2880000000 * (k + 1) // (12 + u % 9)}
                                 for u in range(40) for k in range(12 + u % 9)])
        site.post("/v1/train", {}, status=202)
        site.wait(lambda: site.get("/v1/train")["state"] == "idle", 120)
        report = site.get("/v1/models/1/report")
    check_figures(report["figures"])
    figures = by_id(report["figures"])
    same([name for name in ["groups", "against-coverage", "against-novelty", "memory"]
          if name not in figures], [])
    low, high = (figures["metric-1"]["series"][0][end] for end in ["low", "high"])
    same([a < b for a, b in zip(low, high)], [True, True])
    same("200 resamplings" in report["facts"][2]["text"], True)
    same([figures[f"metric-{n}"]["title"] for n in range(1, 5)],
         ["ndcg@10", "recall@10", "coverage@10", "novelty@10"])


run(globals())
