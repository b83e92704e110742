"""Records of runs: in the folder of models, and at an MLflow server that works, fails, hangs, dies
and comes back. Nothing of that may fail or delay the work itself."""
import base64
import json
import os
import signal
import socket
import subprocess
import time

import harness
from harness import PALATE, QUICK, clean_environment, fail, refuses, run, same, world
from mlflow_server import Server

EVAL = ["eval", "--model", "als,popular", *QUICK, "--bootstrap", "0", "--metrics",
        "ndcg@10,coverage@5", "--quiet"]


def palate(*args, env=None, **how):
    """The harness's, with the record that it leaves out."""
    return harness.palate(*args, env={"PALATE_TRACK": "", **(env or {})}, **how)


def records(folder):
    """What the folder of models has written down, by the runs' names."""
    with open(os.path.join(folder, "models", "runs.jsonl"), encoding="utf-8") as f:
        return {line["name"]: line for line in map(json.loads, f)}


def unsent(folder):
    try:
        return sorted(os.listdir(os.path.join(folder, "models", "unsent")))
    except FileNotFoundError:
        return []


def evaluate(folder, url, **how):
    """Succeeds whatever the tracker does; what it said on stderr, and the seconds it took."""
    began = time.monotonic()
    done = palate(*EVAL, "--data", world(folder), "--json", "--track", url, cwd=folder, **how)
    same(len(done.json["results"]), 2)
    return done.err, time.monotonic() - began


def metrics_of(run):
    return {(name, step): value for name, value, step in run["metrics"]}


def test_in_the_folder(folder):
    told = palate(*EVAL, "--data", world(folder), "--json", cwd=folder).json
    kept = records(folder)
    same(sorted(kept), ["als", "eval synthetic", "popular"])
    outer, als = kept["eval synthetic"], kept["als"]
    same((outer["status"], outer["parent"], als["parent"]), ("finished", None, outer["run"]))
    same(outer["params"]["fingerprint"], told["fingerprint"])
    same((outer["params"]["split"], outer["params"]["seed"]), ("random:80/20", "1"))
    same((als["params"]["factors"], als["params"]["epochs"]), ("8", "3"))
    # How far each epoch moved the items' vectors: less and less, as training settles.
    same([step for step, _ in als["steps"]["change"]], [1, 2, 3])
    first, _, last = [change for _, change in als["steps"]["change"]]
    same(0 < last < first, True)
    same({name: als["metrics"][name] for name in told["results"][0]["metrics"]},
         told["results"][0]["metrics"])
    same(als["metrics"]["peak_rss_bytes"], told["results"][0]["peak_rss_bytes"])
    same(0 <= outer["ended_ms"] - outer["started_ms"] < 60000, True)
    same((outer["tags"]["palate.best"], outer["metrics"]["ndcg@10"]),
         ("als", als["metrics"]["ndcg@10"]))
    same(outer["artifacts"], ["results.json"])
    # Listed, by the newest.
    palate("train", "--data", "world.palate", *QUICK, "--model", "als", "--split", "random:80/20",
           cwd=folder)
    out = palate("models", "runs", cwd=folder).out.splitlines()
    same(["train synthetic" in out[1], "eval synthetic" in out[2], len(out)], [True, True, 3])
    listed = palate("models", "runs", "--json", "-n", "2", cwd=folder).json["runs"]
    same([r["name"] for r in listed], ["train synthetic", "als, version 1"])
    same((listed[0]["artifacts"], listed[0]["tags"]["palate.outcome"]),
         (["model-card.json"], "published"))
    same(listed[1]["metrics"]["peak_rss_bytes"] > 1e6, True)
    same(listed[1]["metrics"]["ndcg@10"] > 0, True)
    same("no run in" in palate("models", "runs", "--models", "other", cwd=folder).out, True)


def test_epochs_of_every_descent(folder):
    """What models that are trained step by step tell after each: it falls, or rises."""
    palate("train", "--data", world(folder), "--model", "bpr,item2vec,svdpp,svd", "-q", "--set",
           "bpr.epochs=6", "--set", "item2vec.epochs=5", cwd=folder)
    kept = records(folder)
    for name, told, steps, rises in [("bpr", "loss", 6, False), ("bpr", "accuracy", 6, True),
                                     ("item2vec", "loss", 5, False), ("svdpp", "rmse", 160, False),
                                     ("svd", "rmse", 160, False)]:
        found = kept[f"{name}, version 1"]["steps"][told]
        same([step for step, _ in found], list(range(1, steps + 1)))
        same(found[-1][1] > found[0][1], rises)


def test_how_runs_end(folder):
    data = world(folder)
    palate(*EVAL, "--data", data, "--split", "file", cwd=folder, status=1)
    ended = records(folder)["eval synthetic"]
    same((ended["status"], "test" in ended["message"]), ("failed", True))
    process = subprocess.Popen([PALATE, "eval", "--data", data, "--model", "als", "--set",
                                "als.epochs=1000", "--set", "als.factors=256"], cwd=folder,
                               env=clean_environment(PALATE_TRACK=""),
                               stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not started(process.pid) and time.monotonic() - began < 60:
        time.sleep(.01)
    process.send_signal(signal.SIGINT)
    process.wait()
    same(records(folder)["eval synthetic"]["status"], "killed")


def started(pid):
    """Whether it has worked for a while: it has read the data by then."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return int(f.read().rsplit(")", 1)[1].split()[11]) >= 20


def test_no_record(folder):
    palate(*EVAL, "--data", world(folder), "--track", "none", cwd=folder)
    same(os.path.exists(os.path.join(folder, "models")), False)
    # Where it can't be written, the work is done all the same.
    for more in [[], ["--models", "/proc/nowhere"]]:
        done = palate(*EVAL, "--data", "world.palate", *more, cwd=folder)
        same("ndcg@10" in done.out, True)
    done = palate(*EVAL, "--data", "world.palate", "--models", "/proc/nowhere", "--no-quiet",
                  cwd=folder)
    same("not in the list of runs" in done.err and len(done.err.splitlines()) == 1, True)


def test_a_server_is_told(folder):
    with Server() as server:
        err, _ = evaluate(folder, server.url)
        same(err, "")
        same(server.experiments, {"palate": "1"})
        outer, als = server.run("eval synthetic"), server.run("als")
        kept = records(folder)
        for name in ["eval synthetic", "als", "popular"]:
            there = server.run(name)
            same((there["status"], there["began"], there["ended"]),
                 ("FINISHED", kept[name]["started_ms"], kept[name]["ended_ms"]))
            same(there["params"], kept[name]["params"])
            same({key.replace("_at_", "@"): value for key, value, _ in there["metrics"]},
                 kept[name]["metrics"])
        same(als["tags"]["mlflow.parentRunId"], outer["id"])
        same("mlflow.parentRunId" in outer["tags"], False)
        same((outer["tags"]["palate.command"], als["tags"]["palate.command"]), ("eval", "model"))
        same([json.loads(text)["data"] for text in server.files.values()], ["synthetic"])
        same(list(server.files), [f"1/{outer['id']}/artifacts/results.json"])
        # Training: its card is an artifact. Another experiment by the environment.
        palate("train", "--data", "world.palate", *QUICK, "--model", "als", "--track",
               server.url + "/", cwd=folder, env={"MLFLOW_EXPERIMENT_NAME": "films & more"})
        same(server.experiments, {"palate": "1", "films & more": "2"})
        trained = server.run("train synthetic")
        with open(os.path.join(folder, "models", "000001", "manifest.json"), "rb") as f:
            same(server.files[f"2/{trained['id']}/artifacts/model-card.json"], f.read())
        same(unsent(folder), [])


def test_a_search_is_told(folder):
    with Server() as server:
        palate("tune", "--data", world(folder), "--model", "als", "--trials", "12", "--set",
               "als.factors=4", "--metrics", "ndcg@10", "-q", cwd=folder,
               env={"PALATE_TRACK": server.url})
        outer = server.run("tune synthetic")
        inner = [run for run in server.runs.values() if run is not outer]
        with open(os.path.join(folder, "tune-als.jsonl"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f][1:]
        same(len(inner), len(lines))
        for line in lines:
            there = server.run(f"als trial {line['trial']} rung {line['rung']}")
            same(there["tags"]["mlflow.parentRunId"], outer["id"])
            epochs = line["options"]["epochs"]
            same(metrics_of(there)["ndcg_at_10", epochs], line["metrics"]["ndcg@10"])
            same(there["params"]["alpha0"], str(line["options"]["alpha0"]))
        best = max(line["metrics"]["ndcg@10"] for line in lines)
        same(metrics_of(outer)["ndcg_at_10", 0], best)
        same(sorted(name.rsplit("/", 1)[1] for name in server.files), ["best.ini", "trials.jsonl"])
        same({run["status"] for run in server.runs.values()}, {"FINISHED"})


def test_away(folder):
    """Nobody listens: it costs no time, one line says so, and the next run brings it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    err, seconds = evaluate(folder, url)
    same((len(err.splitlines()), f"the tracker {url} can't be reached" in err), (1, True))
    same(seconds < 15, True)
    same(len(unsent(folder)), 1)
    evaluate(folder, url)
    same(len(unsent(folder)), 1)
    # Not for another server.
    with Server() as other:
        evaluate(folder, other.url)
        same(len(other.runs), 3)
        same(len(unsent(folder)), 1)
    with Server(port) as server:
        err, _ = evaluate(folder, "mlflow:" + url)
        same((err, unsent(folder)), ("", []))
        same(len(server.runs), 9)
        same({run["status"] for run in server.runs.values()}, {"FINISHED"})
        parents = [run["tags"].get("mlflow.parentRunId") for run in server.runs.values()]
        same(sorted(parents.count(run["id"]) for run in server.runs.values()), [0] * 6 + [2] * 3)
        same(len(server.files), 3)


def test_errors_that_pass(folder):
    """Answers 500, 429 and broken connections at first: it is tried again, and nothing is lost or
    told twice."""
    for fault in [500, 429, "hangup"]:
        with Server() as server:
            failing = {"left": 2}

            def sometimes(_, path):
                if path.startswith("mlflow/runs/log-batch") and failing["left"]:
                    failing["left"] -= 1
                    return fault
                return None

            server.fault = sometimes
            for _ in range(3): # what the first has no time for, a later one brings
                evaluate(folder, server.url)
                if not unsent(folder):
                    break
            same((failing["left"], unsent(folder)), (0, []))
            same({run["status"] for run in server.runs.values()}, {"FINISHED"})
            same(all(run["params"] and run["metrics"] for run in server.runs.values()), True)


def test_done_but_not_answered(folder):
    """Whatever the server does without an answer is done once, over programs too."""
    with Server() as server:
        heard = set()

        def first_time(_, path):
            call = (path, len(server.runs) if path == "mlflow/runs/create" else 0)
            if path.startswith("mlflow/experiments/get") or call in heard:
                return None
            heard.add(call)
            return "mute"

        server.fault = first_time
        for _ in range(4):
            evaluate(folder, server.url)
        server.fault = None
        evaluate(folder, server.url)
        same((unsent(folder), len(server.runs)), ([], 15))
        same({run["status"] for run in server.runs.values()}, {"FINISHED"})


def test_refused(folder):
    """What the server does not want is told in one line, and the rest is sent."""
    with Server() as server:
        server.fault = lambda method, path: 400 if path == "mlflow/runs/log-batch" else None
        err, _ = evaluate(folder, server.url)
        same((len(err.splitlines()), "refused" in err, "as it was told to" in err), (1, True, True))
        same([run["status"] for run in server.runs.values()], ["FINISHED"] * 3)
        same(unsent(folder), [])


def test_credentials(folder):
    with Server() as server:
        server.fault = lambda *_: 401
        err, _ = evaluate(folder, server.url)
        same("MLFLOW_TRACKING_USERNAME" in err and len(unsent(folder)) == 1, True)
        server.fault = None
        evaluate(folder, server.url, env={"MLFLOW_TRACKING_USERNAME": "ann",
                                          "MLFLOW_TRACKING_PASSWORD": "s:cret"})
        same(server.headers[-1]["Authorization"],
             "Basic " + base64.b64encode(b"ann:s:cret").decode())
        evaluate(folder, server.url, env={"MLFLOW_TRACKING_TOKEN": "t0ken"})
        same(server.headers[-1]["Authorization"], "Bearer t0ken")
        same(len(server.runs), 9)
        for place, _, names in os.walk(os.path.join(folder, "models")):
            for name in names:
                with open(os.path.join(place, name), "rb") as f:
                    same(b"t0ken" in f.read(), False)


def test_hanging(folder):
    """It takes what it is told and never answers: a few seconds at the end, no more."""
    with Server() as server:
        server.fault = lambda *_: "hang"
        err, seconds = evaluate(folder, server.url)
        same("did not answer in time" in err and len(unsent(folder)) == 1, True)
        same(2 < seconds < 20, True)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf: # accepts nothing at all
        err, seconds = evaluate(folder, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        same("can't be reached" in err and seconds < 20, True)


def test_dying_in_between(folder):
    """Runs that the server has before it dies go on there when it is back."""
    with Server() as server:
        server.fault = lambda method, path: "hangup" if server.runs and path == \
            "mlflow/runs/log-batch" else None
        err, _ = evaluate(folder, server.url)
        same("can't be reached" in err, True)
        same((len(server.runs), server.run("eval synthetic")["status"]), (2, "RUNNING"))
    with Server(server.port, server.state) as again:
        err, _ = evaluate(folder, server.url)
        same((err, unsent(folder), len(again.runs)), ("", [], 6))
        same({run["status"] for run in again.runs.values()}, {"FINISHED"})
        same(all(run["params"] for run in again.runs.values()), True)


def test_not_an_mlflow(folder):
    with Server() as server:
        server.do = lambda *_: (404, "Not Found")
        err, _ = evaluate(folder, server.url)
        same(("404" in err, len(unsent(folder))), (True, 1))
        server.do = lambda *_: (200, {"hello": "world"})
        err, _ = evaluate(folder, server.url)
        same("not MLflow's" in err, True)


def test_artifacts_elsewhere(folder):
    """A server that keeps artifacts where only its own clients can write."""
    with Server(artifacts="s3://bucket") as server:
        err, _ = evaluate(folder, server.url)
        same(("artifacts" in err, len(err.splitlines()), server.files), (True, 1, {}))
        same(len(server.runs), 3)
    with Server(artifacts="mlflow-artifacts://host:5000") as server:
        evaluate(folder, server.url)
        same(list(server.files), [f"1/{server.run('eval synthetic')['id']}/artifacts/results.json"])


def test_addresses(folder):
    for url in ["mlflow:", "localhost:5000", "ftp://x", "http://"]:
        refuses(2, *EVAL, "--data", "/none", "--track", url, cwd=folder, says="MLflow server")
    done = refuses(2, *EVAL, "--data", "/none", "--track", "http://ann:secret@host", cwd=folder,
                   says="MLFLOW_TRACKING_PASSWORD")
    same("secret" in done.err, False)
    if os.path.exists(os.path.join(folder, "models")):
        fail("a record of nothing")


run(globals())
