"""palate demo: goes through, and every command that it prints works as printed."""
import json
import os
import re
import shlex

from harness import fail, palate, run, same


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
    """Nothing at hand: an invented world."""
    out = palate("demo", "--once", cwd=folder, env={"PALATE_DATA": folder}).out
    same("No MovieLens is at hand" in out, True)


run(globals())
