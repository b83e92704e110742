"""palate tune: what it finds holds by palate eval, the test part stays unseen, and a search that
was stopped in whatever way goes on as if it had not been."""
import json
import os
import random
import signal
import subprocess
import time

from harness import (PALATE, clean_environment, fail, on_terminal, palate, refuses, run, same,
                     world)

SMALL = ["--space", "factors=4..16", "--set", "als.epochs=9", "--metrics", "ndcg@10,recall@10"]
TRIALS = 14
# 1 + 9 points: 1 in full; 9, 3 and 1 on the rungs; 4 more: 4, 1 and 1.
RUNS = 1 + 9 + 3 + 1 + 4 + 1 + 1


def tune(data, *args, **how):
    return palate("tune", "--data", data, "--model", "als", "--trials", TRIALS, *SMALL, *args,
                  **how)


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def trials(path):
    """By trial and rung what must be the same from run to run."""
    found = {}
    for line in lines(path)[1:]:
        key = (line["trial"], line["rung"])
        if key in found:
            fail(f"trial {key} was made twice")
        found[key] = (line["options"], line["metrics"], line["failed"], line["memory_bytes"])
    return found


def test_what_is_found_holds(folder):
    data, path = world(folder), os.path.join(folder, "t.jsonl")
    ini = os.path.join(folder, "best.ini")
    told = tune(data, "--split", "random:60/20/20", "--save", path, "-o", ini, "--json").json
    same((told["trials"], told["runs"], told["failed"]), (TRIALS, RUNS, 0))
    same(told["search"]["rungs"], [1, 3, 9])
    all_of_them = lines(path)
    same(all_of_them[0], told["search"])
    same(len(all_of_them), 1 + RUNS)
    values = [line["metrics"]["ndcg@10"] for line in all_of_them[1:]]
    best = told["best"]
    same(best["metrics"]["ndcg@10"], max(values))
    # Trial 1 is the model as it is without a search, and so the best is never worse.
    first = told["first"]
    same((first["trial"], first["options"]["factors"], first["options"]["epochs"]), (1, 64, 9))
    same(best["metrics"]["ndcg@10"] >= first["metrics"]["ndcg@10"], True)
    # palate eval finds the same on the validation part, for the best and for the last trial.
    for line in [best, all_of_them[-1]]:
        variant = "als" + "".join(f"+{name}={value}" for name, value in line["options"].items())
        result = palate("eval", "--data", data, "--split", "random:60/20/20", "--part", "valid",
                        "--model", variant, "--metrics", "ndcg@10,recall@10", "--json").json
        same(result["results"][0]["metrics"], line["metrics"])
    # And palate train takes the file, data included.
    models = os.path.join(folder, "models")
    made = palate("train", "--config", ini, "--models", models, "--json").json
    same(made["models"][0]["options"], best["options"])


def test_any_number_of_threads(folder):
    data, got = world(folder), []
    for threads in [1, 2, 5]:
        path = os.path.join(folder, f"{threads}.jsonl")
        tune(data, "--threads", threads, "--save", path, "-q", cwd=folder)
        got.append((lines(path)[0], trials(path)))
    same(got[1], got[0])
    same(got[2], got[0])
    same(len(got[0][1]), RUNS)


def test_killed_it_goes_on(folder):
    """Killed again and again, with half a line at its end: the outcome is that of one run."""
    data = world(folder)
    whole, path = os.path.join(folder, "whole.jsonl"), os.path.join(folder, "t.jsonl")
    tune(data, "--save", whole, cwd=folder)
    command = [PALATE, "tune", "--data", data, "--model", "als", "--trials", str(TRIALS), *SMALL,
               "--save", path, "-q"]
    for wanted in [1, 4, 12]:
        process = subprocess.Popen(command, cwd=folder, env=clean_environment(),
                                   stdout=subprocess.DEVNULL)
        began = time.monotonic()
        while time.monotonic() - began < 60 and process.poll() is None:
            if os.path.exists(path) and open(path, "rb").read().count(b"\n") >= wanted:
                break
        process.kill()
        process.wait()
        with open(path, "ab") as f:
            f.write(b'{"trial":3,"rung"')
    before = lines_of(path)
    tune(data, "--save", path, cwd=folder)
    same(before[-1], b'{"trial":3,"rung"')
    same(lines_of(path)[:len(before) - 1], before[:-1])
    same(trials(path), trials(whole))
    # Once over there is nothing to do, and more trials only add to it.
    after = lines_of(path)
    same(tune(data, "--save", path, "--json", cwd=folder).json["trials"], TRIALS)
    same(lines_of(path), after)
    tune(data, "--save", path, "--trials", TRIALS + 6, cwd=folder)
    same(lines_of(path)[:len(after)], after)
    tune(data, "--save", whole + "2", "--trials", TRIALS + 6, cwd=folder)
    asked_once = trials(whole + "2")
    same({key: made for key, made in trials(path).items() if key in asked_once}, asked_once)


def lines_of(path):
    with open(path, "rb") as f:
        return f.read().removesuffix(b"\n").split(b"\n")


def test_interrupted(folder):
    """Ctrl-C: the best so far is written, and the command says how to go on."""
    data = world(folder)
    process = subprocess.Popen([PALATE, "tune", "--data", data, "--model", "als", "--trials",
                                "9999", *SMALL], cwd=folder, env=clean_environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = b""
    while b"trial 4 " not in said:
        said += process.stdout.read1(4096) or fail("it ended by itself")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    same(process.returncode, -signal.SIGINT)
    same("goes on" in err.decode(), True)
    with open(os.path.join(folder, "tune-als.ini"), encoding="utf-8") as f:
        same("[als]\nfactors = " in f.read(), True)
    told = tune(data, "--json", cwd=folder).json
    same(told["trials"] >= TRIALS, True)


def test_the_test_part_stays_unseen(folder):
    """Other test parts of the same users and items: not a byte of the trials changes."""
    rng = random.Random(4)
    users, items, made = 60, 40, []
    train = {u: rng.sample(range(items), 12) for u in range(users)}
    for turn in range(2):
        place = os.path.join(folder, f"published-{turn}", "lists")
        os.makedirs(place)
        with open(os.path.join(place, "train.txt"), "w", encoding="utf-8") as f:
            f.writelines(f"{u} {' '.join(map(str, train[u]))}\n" for u in range(users))
        with open(os.path.join(place, "test.txt"), "w", encoding="utf-8") as f:
            for u in range(users):
                rest = sorted(set(range(items)) - set(train[u]))
                f.write(f"{u} {' '.join(map(str, rng.sample(rest, 3 + turn)))}\n")
        path = os.path.join(folder, f"file-{turn}.jsonl")
        tune(place, "--save", path, "-q", cwd=folder)
        made.append((lines(path)[0], trials(path)))
    same(made[0][0]["split"], "file/train/user:90/10")
    same(made[1], made[0])


def test_by_time_the_test_part_stays_unseen(folder):
    """The last tenth by time judges nobody: its events go to other items and have other values."""
    rng, rows, made = random.Random(5), [], []
    for at in range(3000):
        rows.append((rng.randrange(80), rng.randrange(50), 5, 1000000 + at))
    for turn in range(2):
        place = os.path.join(folder, str(turn))
        os.makedirs(place)
        with open(os.path.join(place, "log.csv"), "w", encoding="utf-8") as f:
            f.write("user,item,value,time\n")
            for n, (user, item, value, at) in enumerate(rows):
                if turn and n >= 2700:
                    item, value = (item * 7 + 3) % 50, 1 + n % 5
                f.write(f"{user},{item},{value},{at}\n")
        path = os.path.join(place, "t.jsonl")
        tune(os.path.join(place, "log.csv"), "--split", "time:80/10/10", "--save", path, "-q",
             cwd=folder)
        made.append((lines(path)[0], trials(path)))
    same(made[0][0]["split"], "time:80/10/10")
    same(made[1], made[0])


def test_failures_are_kept(folder):
    """What would not fit into memory is told and passed over, whatever the number of threads."""
    data, got = world(folder), []
    for threads in [1, 2]:
        path = os.path.join(folder, f"{threads}.jsonl")
        told = palate("tune", "--data", data, "--model", "als", "--trials", 12, "--space",
                      "factors=16..512,nu=0.5", "--memory", "1M", "--set", "als.epochs=2", "--save",
                      path, "--threads", threads, "--json", cwd=folder).json
        failed = [line for line in lines(path)[1:] if line["failed"]]
        same((told["failed"], 0 < len(failed) < 12), (len(failed), True))
        for line in failed:
            same(("would take" in line["failed"], line["metrics"]["ndcg@10"]), (True, None))
            same(line["memory_bytes"] > 1000000, True)
        got.append(trials(path))
    same(got[1], got[0])
    refuses(1, "tune", "--data", data, "--model", "als", "--memory", "1k", "--trials", "1", "-q",
            "--json", cwd=folder, says="no trial succeeded")


def test_what_is_searched(folder):
    data = world(folder)
    told = palate("tune", "--data", data, "--model", "als+nu=1", "--set", "als.alpha0=0.2",
                  "--space", "solver=exact|cg,regularization=0.1..0.2,factors=8", "--trials", "10",
                  "--set", "als.epochs=2", "--json", cwd=folder).json
    same(told["search"]["space"], "regularization=0.1..0.2,solver=exact|cg")
    solvers = set()
    for line in lines(os.path.join(folder, "tune-als.jsonl"))[1:]:
        options = line["options"]
        same([options[name] for name in ["nu", "alpha0", "factors", "epochs"]], [1, 0.2, 8, 2])
        if line["trial"] > 1:
            same(0.1 <= options["regularization"] <= 0.2, True)
        solvers.add(options["solver"])
    same(solvers, {"exact", "cg"})
    # A model without epochs, drawn at random, by a metric of which less is better, in full.
    told = palate("tune", "--data", data, "--model", "knn", "--search", "random", "--trials", "6",
                  "--metrics", "popularity@10", "--json", cwd=folder).json
    same((told["search"]["rungs"], told["runs"]), ([], 6))
    values = [line["metrics"]["popularity@10"]
              for line in lines(os.path.join(folder, "tune-knn.jsonl"))[1:]]
    same(told["best"]["metrics"]["popularity@10"], min(values))
    # In full, too, where halving is not wanted; then epochs are an option like others.
    told = palate("tune", "--data", data, "--model", "als", "--no-halving", "--trials", "5",
                  "--space", "factors=4,epochs=1..4", "--save", "full.jsonl", "--json",
                  cwd=folder).json
    same((told["search"]["rungs"], told["runs"]), ([], 5))


def test_time_is_kept(folder):
    began = time.monotonic()
    told = palate("tune", "--data", world(folder), "--model", "als", "--time", "0.05", "--json",
                  cwd=folder).json
    same(told["trials"] > 1, True)
    same(time.monotonic() - began < 40, True)


def test_on_a_terminal(folder):
    """One picture drawn over and over, and at the end what was found."""
    status, said = on_terminal("tune", "--data", world(folder), "--model", "als", "--trials", "12",
                               *SMALL, cwd=folder, columns=90)
    same(status, 0)
    same("\033[J" in said and "of 12 trials" in said, True)
    end = said.rsplit("\033[J", 1)[1]
    same("best" in end and "palate train --config tune-als.ini" in end, True)
    for line in end.replace("\r", "").split("\n"):
        same(len(line.replace("\033[1m", "").replace("\033[0m", "")) <= 90 + 20, True)


def test_what_can_go_wrong(folder):
    data, base = world(folder), ["tune", "--trials", "2", "-q"]
    als = [*base, "--data", data, "--model", "als", "--set", "als.epochs=1"]
    refuses(2, *base, "--data", data, says="--model als")
    refuses(2, *base, "--data", data, "--model", "als,ease", says="one model")
    refuses(2, *base, "--data", "/none", "--model", "als", "--space", "factor=1..2",
            says="did you mean 'factors'")
    refuses(2, *base, "--data", "/none", "--model", "random", "--space", "", says="no option")
    refuses(2, *als, "--metrics", "nope", says="nope")
    palate(*als, cwd=folder)
    path = os.path.join(folder, "tune-als.jsonl")
    was = lines_of(path)
    refuses(2, *als, "--seed", "2", cwd=folder, says=["tune-als.jsonl", "another seed"])
    refuses(2, *als, "--space", "nu=0.1..0.2", cwd=folder, says="another space")
    refuses(2, *als, "--split", "random:70/30", cwd=folder, says="another fingerprint")
    same(lines_of(path), was)
    with open(path, "wb") as f:
        f.write(b"\n".join([was[0], b"{}", *was[1:], b""]))
    refuses(1, *als, cwd=folder, says="tune-als.jsonl:2: it is no trial")
    with open(path, "wb") as f:
        f.write(was[0] + b"\n" + was[1].replace(b'"nu":0.5', b'"nu":0.25') + b"\n")
    refuses(1, *als, "--json", cwd=folder, says="trial 1 there is not the one")
    # A file that is none of ours stays as it is.
    for text in [b"mine\n", b"mine", b'{"palate_tune":1,"model":"ease"']:
        with open(path, "wb") as f:
            f.write(text)
        refuses(2, *als, cwd=folder, says="another")
        with open(path, "rb") as f:
            same(f.read(), text)
    refuses(1, *als, "--save", "/proc/none", says="/proc/none")
    refuses(1, *als, "--json", "-o", "/proc/none", "--save", os.path.join(folder, "new.jsonl"),
            says="/proc/none")


def test_damaged_files(folder):
    """Whatever is in the file, there is one clear line or the search goes on."""
    data, rng = world(folder), random.Random(6)
    path = os.path.join(folder, "t.jsonl")
    als = ["tune", "--trials", "3", "--data", data, "--model", "als", "--set", "als.epochs=1",
           "--save", path, "--json"]
    palate(*als, cwd=folder)
    with open(path, "rb") as f:
        whole = f.read()
    ended = {0: 0, 1: 0, 2: 0}
    for _ in range(60):
        text = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(text))
            text[at:at + rng.randrange(3)] = rng.choice([b"", b"0", b"e9", b"{", b'"', b"\n",
                                                         b"\xff", b"null", b"-1"])
        with open(path, "wb") as f:
            f.write(text[:rng.randrange(len(text) + 1)] if rng.random() < .3 else text)
        done = palate(*als, status=None, cwd=folder)
        ended[done.status] += 1
        if done.status and (done.out or len(done.err.splitlines()) != 1):
            fail(done)
    same(all(ended.values()), True)


def test_one_at_a_time(folder):
    data = world(folder)
    first = subprocess.Popen([PALATE, "tune", "--data", data, "--model", "als", "--trials", "9999",
                              *SMALL], cwd=folder, env=clean_environment(), stdout=subprocess.PIPE)
    said = b""
    while b"trial 1 " not in said:
        said += first.stdout.read1(4096) or fail("it ended by itself")
    refuses(2, "tune", "--data", data, "--model", "als", *SMALL, cwd=folder,
            says="another palate tune")
    first.kill()
    first.communicate()


run(globals())
