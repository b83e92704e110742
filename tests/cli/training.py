"""palate train as a server's learning loop runs it: from a store and its journal, through a gate,
deleting old versions, told as JSON lines."""
import json
import os
import signal
import subprocess
import time

from harness import (OTHERS, PALATE, QUICK, clean_environment, fail, palate, refuses, run, same,
                     world)

FILL_STORE, LEARN = OTHERS
EVENTS, ITEMS = 10889, 200  # of the world in harness.py


def filled(folder, share=70, journal="palate.db-journal.d"):
    """A store with a world in it, the last part of it in the journal only; (data, URL)."""
    data, path = world(folder), os.path.join(folder, "palate.db")
    url = "sqlite:" + path
    done = subprocess.run([FILL_STORE, data, url, os.path.join(folder, journal), str(share)],
                          check=True, capture_output=True, text=True, timeout=60)
    stored, pending = map(int, done.stdout.split())
    same((stored + pending, stored, pending > 0), (EVENTS, EVENTS * share // 100, True))
    return data, url


def manifest(models, version):
    with open(os.path.join(models, f"{version:06}", "manifest.json"), encoding="utf-8") as f:
        return json.load(f)


def live(models):
    return palate("models", "--models", models, "--json").json.get("live")


def lines_of(ended):
    """The JSON lines that a watched training wrote: (progress, outcome)."""
    lines = [json.loads(line) for line in ended.out.splitlines()]
    for line in lines[:-1]:
        same(sorted(line), ["done", "model", "stage", "total"])
    return lines[:-1], lines[-1]


def test_from_a_store_and_its_journal(folder):
    """What is only in the journal counts, wherever the journal is."""
    data, url = filled(folder)
    models, direct = os.path.join(folder, "models"), os.path.join(folder, "direct")
    told = palate("train", "--store", url, "--models", models, "--model", "popular", "--json").json
    same((told["interactions"], told["data"]), (EVENTS, "store"))
    palate("train", "--data", data, "--models", direct, "--model", "popular")
    source = manifest(models, 1)["source"]
    same(source["path"], "sqlite:" + os.path.realpath(os.path.join(folder, "palate.db")))
    same(source["position"], ITEMS + EVENTS)
    # The same events give the same answers; a user's are found without saying where.
    answers = []
    for name in (models, direct):
        told = palate("recommend", "--models", name, "--user", "7", "-n", "20", "--json").json
        answers.append([r["item_id"] for r in told["recommendations"]])
    same(answers[0], answers[1])
    same(len(answers[0]), 20)


def test_a_journal_elsewhere(folder):
    _, url = filled(folder, journal="elsewhere")
    told = palate("train", "--store", url, "--models", os.path.join(folder, "a"), "--model",
                  "popular", "--json").json
    same(told["interactions"], EVENTS * 70 // 100)
    told = palate("train", "--store", url, "--journal", os.path.join(folder, "elsewhere"),
                  "--models", os.path.join(folder, "b"), "--model", "popular", "--json").json
    same(told["interactions"], EVENTS)


def test_which_data(folder):
    data, url = filled(folder)
    models = os.path.join(folder, "models")
    base = ["train", "--models", models, "--model", "popular"]
    refuses(2, *base, "--store", url, "--data", data, says=["--data", "--store"])
    refuses(2, *base, says=["--data", "sqlite:"])
    refuses(1, *base, "--store", "sqlite:" + folder + "/absent.db", says="absent.db")
    # What is said on the command line counts more than the environment.
    told = palate(*base, "--store", url, "--json", env={"PALATE_DATA": data}).json
    same(told["data"], "store")
    told = palate(*base, "--data", data, "--json", env={"PALATE_STORE": url}).json
    same(told["data"], "synthetic")


def test_the_gate(folder):
    """Worse is kept but not live; better is live; the manifest says what was compared and how."""
    _, url = filled(folder)
    models = os.path.join(folder, "models")
    base = ["train", "--store", url, "--models", models, "--metrics", "ndcg@10", *QUICK]
    first = palate(*base, "--model", "als", "--gate", "0.05", "--json").json
    same((first["gate"]["published"], first["gate"]["how"]), (True, "first"))
    same(first["split"].startswith("time:90"), True)
    ended = palate("train", "--store", url, "--models", models, "--model", "random", "--gate",
                   "0.05")
    same("held back" in ended.out and "not live" in ended.out, True)
    same(live(models), 1)
    held = manifest(models, 2)["gate"]
    same((held["published"], held["how"], held["live_version"]), (False, "retrained", 1))
    same(held["live_value"] > held["value"], True)
    same("replaces" in manifest(models, 2), False)

    listed = palate("models", "--models", models, "--json").json["versions"]
    same([v["held_back"] for v in listed], [False, True])
    lines = palate("models", "--models", models).out.split("\n")
    same([line.endswith(", held back") for line in lines if "ndcg" in line], [False, True])
    same("held back" in palate("models", "show", "2", "--models", models).out, True)

    again = palate(*base, "--model", "als", "--gate", "0.05", "--json").json["gate"]
    same((again["published"], again["how"], again["value"]), (True, "same", again["live_value"]))
    same((live(models), manifest(models, 3)["replaces"]), (3, 1))
    # Whatever is measured on the live version's own options is what eval measures of them.
    value = palate("eval", "--data", url, "--model", "als", *QUICK, "--split", "time:90/10",
                   "--metrics", "ndcg@10", "--bootstrap", "0", "--json").json
    same(abs(value["results"][0]["metrics"]["ndcg@10"] - held["live_value"]) < 1e-9, True)
    # A held back one can be made live by hand; without a gate nothing is compared.
    palate("models", "--models", models, "--activate", "2")
    same(live(models), 2)
    palate("train", "--store", url, "--models", models, "--model", "popular")
    same((live(models), "gate" in manifest(models, 4)), (4, False))
    # The whole comparison is kept beside it, as palate eval tells it; nothing measured, none.
    kept = manifest(models, 1)["comparison"]
    same((kept["split"], [r["label"] for r in kept["results"]]), (first["split"], ["als"]))
    same(kept["results"][0]["metrics"], first["models"][0]["metrics"])
    same(kept["results"][0]["intervals"], first["models"][0]["intervals"])
    same("comparison" in manifest(models, 4), False)


def test_the_margin(folder):
    """A whole margin lets everything pass."""
    _, url = filled(folder)
    models = os.path.join(folder, "models")
    base = ["train", "--store", url, "--models", models]
    palate(*base, "--model", "als", *QUICK)
    gate = palate(*base, "--model", "random", "--gate", "1", "--json").json["gate"]
    same((gate["published"], gate["live_value"] > gate["value"]), (True, True))
    same("within the margin" in gate["message"], True)


def test_the_same_choice_is_never_held_back(folder):
    """Even where the live version's files have seen nothing of what is held out: trained on the
    store alone, before the journal's last events, which are the holdout then."""
    _, url = filled(folder, share=80)
    models, journal = os.path.join(folder, "models"), os.path.join(folder, "palate.db-journal.d")
    os.rename(journal, journal + ".away")
    base = ["train", "--store", url, "--models", models, "--model", "als", *QUICK, "--gate", "0"]
    palate(*base)
    os.rename(journal + ".away", journal)
    for more in [], ["--split", "time:50/50"], ["--split", "random:90/10"]:
        gate = palate(*base, *more, "--json").json["gate"]
        same((gate["how"], gate["published"]), ("same", True))
        same(0 < gate["live_value"] < 1, True)
        same(gate["live_value"], gate["value"])


def test_too_little_to_measure(folder):
    """Two events can't be split into anything: the gate is open. Without one that is an error."""
    path, models = os.path.join(folder, "few.csv"), os.path.join(folder, "models")
    with open(path, "w", encoding="utf-8") as f:
        f.write("user,item,timestamp\na,x,1600000000\nb,y,1600000100\n")
    base = ["train", "--data", path, "--models", models, "--model", "popular"]
    refuses(1, *base, "--split", "users:80/20")
    for version in (1, 2):
        gate = palate(*base, "--split", "users:80/20", "--gate", "0.05", "--json").json["gate"]
        same((gate["published"], gate["value"], live(models)), (True, None, version))
    same(gate["how"], "unmeasured")


def test_a_live_version_that_can_not_be_compared(folder):
    """Its models are from another release, or its manifest is gone: no obstacle."""
    _, url = filled(folder)
    models = os.path.join(folder, "models")
    base = ["train", "--store", url, "--models", models, "--model", "popular"]
    palate(*base)
    path = os.path.join(models, "000001", "manifest.json")
    text = manifest(models, 1)
    text["models"][0]["name"] = "telepathy"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(text, f)
    gate = palate(*base, "--gate", "0", "--json").json["gate"]
    same((gate["published"], gate["how"]), (True, "unmeasured"))
    same("telepathy" in gate["message"], True)


def test_keep(folder):
    """The oldest go; the live one and the one that it replaced stay."""
    data, models = world(folder), os.path.join(folder, "models")
    base = ["train", "--data", data, "--models", models, "--model", "popular"]

    def versions():
        return [v["version"] for v in palate("models", "--models", models, "--json")
                .json["versions"]]
    for _ in range(5):
        palate(*base)
    same(versions(), [1, 2, 3, 4, 5])
    palate("models", "--models", models, "--activate", "2")
    palate(*base, "--keep", "3")  # 6 is live and replaced 2
    same(versions(), [2, 5, 6])
    out = palate(*base, "--keep", "1").out
    same((versions(), "2 old versions deleted" in out), ([6, 7], True))
    same(live(models), 7)
    same([n for n in os.listdir(models) if n.endswith(".new")], [])
    palate(*base, "--keep", "0")
    same(versions(), [6, 7, 8])
    palate("train", "--data", data, "--models", models, "--model", "random", "--gate", "0",
           "--split", "random:80/20", "--keep", "2")
    same((versions(), live(models)), ([7, 8, 9], 8))  # held back: 8 is still live


def test_json_lines(folder):
    _, url = filled(folder)
    models = os.path.join(folder, "models")
    base = ["train", "--store", url, "--models", models, *QUICK, "--gate", "0.05",
            "--metrics", "ndcg@10", "--progress-json"]
    progress, outcome = lines_of(palate(*base, "--model", "als,popular"))
    stages = [(line["stage"], line["model"]) for line in progress]
    for stage in [("loading", ""), ("training", "als"), ("evaluating", "als"), ("writing", "")]:
        if stage not in stages:
            fail(stages)
    same(outcome["outcome"], "published")
    same((outcome["version"], outcome["events"], outcome["items"], outcome["live_version"]),
         (1, EVENTS, ITEMS, 0))
    same((outcome["metric"], 0 < outcome["value"] < 1, outcome["live_value"]),
         ("ndcg@10", True, None))
    same(outcome["peak_bytes"] > 1 << 20, True)

    _, outcome = lines_of(palate("train", "--store", url, "--models", models, "--model", "random",
                                 "--gate", "0.05", "--progress-json"))
    same((outcome["outcome"], outcome["version"], outcome["live_version"]), ("held back", 2, 1))

    ended = palate(*base, "--model", "als,als", status=2)
    _, outcome = lines_of(ended)
    same((outcome["outcome"], "twice" in outcome["message"]), ("failed", True))


def test_the_whole_loop(folder):
    """A running recommender that trains itself: store and journal, child, gate, reload."""
    done = subprocess.run([LEARN, PALATE, folder], check=False, capture_output=True, text=True,
                          timeout=100, env=clean_environment(PALATE_JSON="1"))
    same((done.returncode, done.stderr.count("\n2 ")), (0, 0))
    same(done.stderr.count("stopped"), 1)
    first, second, answer = map(json.loads, done.stdout.splitlines())
    same((first["cause"], first["outcome"], first["version"], first["events"]),
         ("events", 1, 1, 360))
    same((second["cause"], second["outcome"], second["version"], second["events"]),
         ("events", 1, 2, 720))
    same((0 <= second["metric"] <= 1, 0 <= second["live_metric"] <= 1), (True, True))
    # Who liked one thing of one half is recommended things of that half.
    same(answer["model_version"], 2)
    same(len(answer["items"]), 10)
    same({int(name[1:]) % 2 for name in answer["items"][:5]}, {1})
    models = os.path.join(folder, "models")
    same(live(models), 2)
    same(sorted(n for n in os.listdir(models) if not n.startswith(".")),
         ["000001", "000002", "CURRENT"])
    same(manifest(models, 2)["gate"]["live_version"], 1)
    same(manifest(models, 2)["replaces"], 1)


SLOW = ["--model", "als", "--set", "als.factors=256", "--set", "als.epochs=1000"]


def watched(folder):
    """A training that takes long, with its pipe; its models' folder."""
    models = os.path.join(folder, "models")
    process = subprocess.Popen(
        [PALATE, "train", "--data", world(folder), "--models", models, *SLOW, "--progress-json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    for line in process.stdout:
        if b'"training"' in line:
            break
    return process, models


def test_a_watcher_who_stops_it(folder):
    process, models = watched(folder)
    process.send_signal(signal.SIGTERM)
    last = json.loads(process.stdout.read().splitlines()[-1])
    same((process.wait(30), last["outcome"]), (-signal.SIGTERM, "stopped"))
    same([n for n in os.listdir(models) if n != ".lock"], [])


def test_a_watcher_who_goes_away(folder):
    """Its pipe is closed: the training ends by itself and leaves nothing."""
    process, models = watched(folder)
    process.stdout.close()
    same(process.wait(30), -signal.SIGTERM)
    same([n for n in os.listdir(models) if n != ".lock"], [])


def test_a_watcher_who_is_killed(folder):
    """The pipe stays open, but the process that began it is gone."""
    models, out = os.path.join(folder, "models"), os.path.join(folder, "out")
    data = world(folder)
    words = [PALATE, "train", "--data", data, "--models", models, *SLOW, "--progress-json"]
    watcher = subprocess.Popen(
        ["python3", "-c", "import subprocess, sys, time\n"
         "p = subprocess.Popen(sys.argv[2:], stdout=open(sys.argv[1], 'wb'))\n"
         "print(p.pid, flush=True)\ntime.sleep(600)\n", out, *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    child = int(watcher.stdout.readline())
    begin = time.monotonic()
    while not os.path.exists(out) or b'"training"' not in open(out, "rb").read():
        if time.monotonic() - begin > 60:
            fail("it never began to train")
        time.sleep(0.01)
    watcher.kill()
    watcher.wait()
    watcher.stdout.close()
    while os.path.exists(f"/proc/{child}") and "Z" not in state(child):
        if time.monotonic() - begin > 120:
            os.kill(child, signal.SIGKILL)
            fail("it outlived its watcher")
        time.sleep(0.01)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


run(globals())
