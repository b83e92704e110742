"""palate demo: goes through, and every command that it prints works as printed."""
import json
import os
import random
import re
import shlex

from harness import PALATE, fail, palate, run, same


def test_demo_on_an_invented_world(folder):
    out = palate("demo", "--data", "synthetic", "--once", cwd=folder).out
    for word in ["1  The data", "2  Which model is good?", "3  Train and publish", "4  Recommend",
                 "5  Serve", "because of", "What to try next",
                 "The server answered as it should."]:
        if word not in out:
            fail(f"'{word}' is not in {out}")
    same(out.count("and may like\n"), 3)
    same(sorted(os.listdir(folder)), ["palate-demo"])
    commands = re.findall(r"^   (?:\$ )?palate (.*)$", out.replace("\\\n", ""), re.MULTILINE)
    if len(commands) < 8:
        fail(out)
    same(len(re.findall(r"^   curl -s ", out, re.MULTILINE)), 3)
    same(sum(command.startswith("serve ") for command in commands), 1)
    for command in commands:
        if command.startswith("serve "):
            continue  # it would not end; tests/api starts servers
        palate(*shlex.split(command), cwd=folder)
    compared = out.split("3  Train and publish")[0].splitlines()
    # The first version knows how good its models are: the page shows it.
    with open(os.path.join(folder, "palate-demo", "models", "000001", "manifest.json"),
              encoding="utf-8") as f:
        manifest = json.load(f)
    same(manifest["source"]["split"], "random:80/20")
    results = manifest["comparison"]["results"]
    same([r["model"] for r in results], [m["name"] for m in manifest["models"]])
    same(sorted(r["model"] for r in results), ["als", "content", "ease", "popular"])
    for result, model in zip(results, manifest["models"]):
        same(model["metrics"]["ndcg@10"], result["metrics"]["ndcg@10"])
        same(len(result["intervals"]["ndcg@10"]), 2)
    same(len(manifest["comparison"]["comparisons"]), 3)
    rows = {line.split()[0]: float(line.split()[1].rstrip("*")) for line in compared
            if re.match(r"  (als|ease|popular|random) +0\.", line)}
    if not rows["als"] > rows["popular"] > rows["random"]:
        fail(str(rows))


def test_demo_without_data(folder):
    """Nothing at hand: an invented world. What was trained is on record, and whoever has no palate
    in the PATH is told how the commands printed will be found."""
    path = os.pathsep.join(place for place in os.environ["PATH"].split(os.pathsep)
                           if not os.path.exists(os.path.join(place, "palate")))
    bare = {"PALATE_DATA": folder, "PALATE_TRACK": "", "PATH": path}
    out = palate("demo", "--once", cwd=folder, env=bare).out
    same("No MovieLens is at hand" in out, True)
    same(f"   export PATH={shlex.quote(os.path.dirname(os.path.realpath(PALATE)))}:$PATH\n" in out,
         True)
    with open(os.path.join(folder, "palate-demo", "models", "runs.jsonl"), encoding="utf-8") as f:
        runs = [json.loads(line) for line in f]
    same([r["name"] for r in runs if r["command"] == "demo"], ["demo synthetic"])
    same(len([r for r in runs if r["command"] == "model"]), 4)


def test_demo_of_bare_lists(folder):
    """Data with nothing to read and no types of events: models that suit them, and the server shows
    nobody what is in their list already. With palate in the PATH nothing is said about that."""
    chance, lists = random.Random(1), {}
    for user in range(150):
        block = range(user % 3, 90, 3)
        lists[str(user)] = [str(item) for item in chance.sample(block, 20)]
    os.mkdir(os.path.join(folder, "lists"))
    with open(os.path.join(folder, "lists", "train.txt"), "w", encoding="utf-8") as f:
        f.writelines(" ".join([user, *items]) + "\n" for user, items in lists.items())
    path = os.path.dirname(PALATE) + os.pathsep + os.environ["PATH"]
    out = palate("demo", "--data", "lists", "--once", cwd=folder, env={"PATH": path}).out
    same("The server answered as it should." in out, True)
    same("export PATH" in out, False)
    same("content" in out, False)
    served = [json.loads(line)["served"] for line in
              palate("export", "--store", "sqlite:palate-demo/palate.db", cwd=folder)
              .out.splitlines() if '"served"' in line]
    known = [one for one in served if one["user_id"] in lists]
    same(len(known), 1)
    for item in known[0]["items"]:
        same(item["item_id"] in lists[known[0]["user_id"]], False)
    # Other data don't go into the same store; the same ones do.
    other = palate("demo", "--data", "lists", "--once", cwd=folder)
    same("The server answered as it should." in other.out, True)
    small = os.path.join(folder, "small.csv")
    with open(small, "w", encoding="utf-8") as f:
        f.write("user,item\na,b\n")
    other = palate("demo", "--data", small, "--once", cwd=folder, status=2)
    same("delete it, or run palate demo in another folder" in other.err, True)
    same("Which model is good?" in other.out, False)


run(globals())
