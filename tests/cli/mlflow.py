"""Against an MLflow from PyPI, looked at through its own client: what palate tells a server is
what a person then finds there. tracking.py tries the same, and all failures, against a stand-in."""
import json
import os

from harness import fail, palate, run, same, world
from mlflow_real import Mlflow


def test_its_own_client_finds_it(folder):
    data, env = world(folder), {"PALATE_TRACK": ""}
    nudge = os.path.join(folder, "nudge.csv")
    with open(nudge, "w", encoding="utf-8") as f:
        f.write("user,item\n" + "".join(f"{n % 7},{n * n % 11}\n" for n in range(60)))
    with Mlflow(folder) as server:
        track = ["--track", "mlflow:" + server.url, "-q"]

        def told(*args):
            """Until the server has been told all: a slow one gets the rest by the next run."""
            done = palate(*args, *track, cwd=folder, env=env)
            for _ in range(60):
                unsent = os.path.join(folder, "models", "unsent")
                if not os.path.isdir(unsent) or not os.listdir(unsent):
                    return done
                palate("eval", "--data", nudge, "--model", "random", "--bootstrap", "0", *track,
                       cwd=folder, env=env)
            return fail("the server never has time")

        result = told("eval", "--data", data, "--model", "als,popular", "--set", "als.epochs=3",
                      "--metrics", "ndcg@10,coverage@5", "--json").json
        runs = server.runs()
        same({run["over"] for run in runs.values()}, {True})
        outer, als = runs["eval synthetic"], runs["als"]
        same((outer["status"], als["status"]), ("FINISHED", "FINISHED"))
        same(als["tags"]["mlflow.parentRunId"], outer["id"])
        same(json.loads(outer["artifacts"]["results.json"])["results"], result["results"])
        same((als["params"]["model"], als["params"]["epochs"]), ("als", "3"))
        same(als["history"]["ndcg_at_10"], [[0, result["results"][0]["metrics"]["ndcg@10"]]])
        same(outer["params"]["fingerprint"], result["fingerprint"])
        # A search: a parent with its trials, at their epochs; then training with what was found.
        told("tune", "--data", data, "--model", "als", "--trials", "11", "--metrics", "ndcg@10")
        told("train", "--config", "tune-als.ini")
        runs = server.runs()
        search = runs["tune synthetic"]
        with open(os.path.join(folder, "tune-als.jsonl"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f][1:]
        for line in lines:
            there = runs[f"als trial {line['trial']} rung {line['rung']}"]
            same(there["tags"]["mlflow.parentRunId"], search["id"])
            same(there["history"]["ndcg_at_10"],
                 [[line["options"]["epochs"], line["metrics"]["ndcg@10"]]])
        with open(os.path.join(folder, "tune-als.ini"), encoding="utf-8") as f:
            same(search["artifacts"]["best.ini"], f.read())
        card = json.loads(runs["train synthetic"]["artifacts"]["model-card.json"])
        same(card["models"][0]["name"], "als")
        # Away in between, it is told later.
        server.stop()
        done = palate("train", "--data", data, "--model", "popular", *track, cwd=folder, env=env)
        same("can't be reached" in done.err, True)
        same("popular, version 2" in runs, False)
        server.start()
        told("eval", "--data", data, "--model", "popular")
        same(server.runs()["popular, version 2"]["status"], "FINISHED")


run(globals())
