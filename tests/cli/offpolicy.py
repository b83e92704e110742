"""palate ope: estimates from logs and from served lists equal a second implementation written here,
and hold what algebra says is true of invented people."""
import csv
import json
import os
import random

from harness import fail, palate, real_data, refuses, run, same

HEAD = ["item_id", "position", "click", "propensity_score"]


def near(got, expected, most=1e-9):
    if got is None or abs(got - expected) > most * (1 + abs(expected)):
        fail(f"got {got!r}, expected {expected!r}")


def put_log(folder, policy, rows, campaign="men"):
    where = os.path.join(folder, policy, campaign)
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, campaign + ".csv"), "w", encoding="ascii", newline="") as f:
        csv.writer(f).writerows([HEAD] + rows)


def read_log(path):
    with open(path, encoding="ascii", newline="") as f:
        return [[row[name] for name in HEAD] for row in csv.DictReader(f)]


def shares(own):
    """How often the policy shows an item at a position."""
    count, at = {}, {}
    for item, position, _, _ in own:
        count[position, item] = count.get((position, item), 0) + 1
        at[position] = at.get(position, 0) + 1
    return {key: n / at[key[0]] for key, n in count.items()}


def naive(log, own, clip=0):
    """(ips, snips, effective rows) of the policy that `own` is the log of."""
    share = shares(own)
    weights = [share.get((position, item), 0) / float(p) for item, position, _, p in log]
    if clip:
        weights = [min(w, clip) for w in weights]
    earned = sum(w * float(row[2]) for w, row in zip(weights, log))
    return (earned / len(log), earned / sum(weights),
            sum(weights) ** 2 / sum(w * w for w in weights))


def check(told, log, own, clip=0):
    by = {e["estimator"]: e["value"] for e in told["estimates"]}
    ips, snips, effective = naive(log, own, clip)
    near(by["ips"], ips)
    near(by["snips"], snips)
    near(told["effective_rows"], effective)
    near(by["logged"], sum(float(r[2]) for r in log) / len(log))
    near(told["own_log"]["value"], sum(float(r[2]) for r in own) / len(own))
    for e in told["estimates"]:
        if e["interval"] and not e["interval"][0] <= e["value"] <= e["interval"][1]:
            fail(e)
        same(e["interval"] is None, e["estimator"] == "dm")


def test_two_logs(folder):
    draw = random.Random(3)
    log = [[draw.choice("abc"), draw.choice("12"), int(draw.random() < .3), 1 / 3]
           for _ in range(300)]
    own = [[draw.choice("aab"), draw.choice("12"), int(draw.random() < .3), .5] for _ in range(200)]
    put_log(folder, "random", log)
    put_log(folder, "bts", own)
    told = palate("ope", "--data", folder, "--json").json
    same((told["policy"], told["from"], len(told["campaigns"])), ("bts", "random", 1))
    men = told["campaigns"][0]
    same((men["campaign"], men["rows"], men["items"], men["places"], men["uncovered"]),
         ("men", 300, 3, 2, 0))
    check(men, log, own)
    clipped = palate("ope", "--data", folder, "--clip", "1", "--json").json["campaigns"][0]
    check(clipped, log, own, clip=1)
    same(clipped["clipped"] > 0, True)
    # the other way round: what random does with c the log of bts never shows
    back = palate("ope", "--data", folder, "--policy", "random", "--from", "bts", "--json").json
    near(back["campaigns"][0]["uncovered"], sum(r[0] == "c" for r in log) / 300)
    text = palate("ope", "--data", folder, "--bootstrap", "0").out
    for word in ["bts, its own log", "inverse propensity", "self-normalized", "doubly robust"]:
        if word not in text:
            fail(text)


def test_same_seed_same_answer(folder):
    put_log(folder, "random", [["a", 1, i % 2, .5] for i in range(50)])
    put_log(folder, "bts", [["a", 1, 1, .5] for i in range(50)])
    one = palate("ope", "--data", folder, "--json", "--threads", "1").out
    same(palate("ope", "--data", folder, "--json", "--threads", "2").out, one)
    same(palate("ope", "--data", folder, "--json", "--seed", "2").out == one, False)


def test_the_open_bandit_data(folder):
    del folder
    data = real_data("obd")
    told = palate("ope", "--data", data, "--json").json
    same([c["campaign"] for c in told["campaigns"]], ["men", "women"])
    for c in told["campaigns"]:
        name = c["campaign"]
        log, own = (read_log(os.path.join(data, policy, name, name + ".csv"))
                    for policy in ["random", "bts"])
        check(c, log, own)
        # both policies really ran: estimate and experiment agree within what 10,000 rows can tell
        low, high = c["own_log"]["interval"]
        for e in c["estimates"]:
            if e["interval"] and (e["interval"][0] > high or e["interval"][1] < low):
                fail(c)


def test_what_logs_cannot_tell(folder):
    refuses(1, "ope", "--data", os.path.join(folder, "none"), says="there is no folder")
    os.mkdir(os.path.join(folder, "empty"))
    refuses(1, "ope", "--data", os.path.join(folder, "empty"), says="holds no logs")
    put_log(folder, "random", [["a", 1, 0, .5]])
    refuses(1, "ope", "--data", folder, says=["men", "holds no log"])
    put_log(folder, "bts", [["b", 1, 0, .5]])
    refuses(1, "ope", "--data", folder, says="never shows what the policy would do")
    put_log(folder, "bts", [["a", 2, 0, .5]])
    refuses(1, "ope", "--data", folder, says="has no rows at position '1'")
    put_log(folder, "bts", [["a", 1, 0, 0]])
    refuses(1, "ope", "--data", folder, says=["men.csv:2:7", "propensity"])


# ---- served lists: three items stand in every list, nine are drawn by the bandit ----

EXPLORE, TIME = .25, 1700000000000
PAYS = [.3, .2, .1] + [.05 + .04 * i for i in range(9)]
DRAWN = [i / 45 for i in range(1, 10)]


def people(lists, draw):
    """Lines of an export, and the slots: (explored, propensity, clicked, user)."""
    lines, slots = [], []
    for n in range(lists):
        user, items = f"u{n % 400}", []
        for place in range(3):
            explored = draw.random() < EXPLORE
            item = place
            while explored and (item < 3 or any(x["item_id"] == str(item) for x in items)):
                item = 3 + draw.choices(range(9), DRAWN)[0]
            left = 1 - sum(DRAWN[int(x["item_id"]) - 3] for x in items if x["explored"])
            p = EXPLORE * DRAWN[item - 3] / left if explored else 1 - EXPLORE
            items.append({"item_id": str(item), "source": "bandit" if explored else "als",
                          "score": .5, "explored": explored, "propensity": p})
            clicked = draw.random() < PAYS[item]
            slots.append((explored, p, clicked, user))
            for kind in ["view", "click"][:1 + clicked]:
                lines.append({"event": {"user_id": user, "item_id": str(item), "type": kind,
                                        "value": 1, "timestamp": TIME + 60000,
                                        "recommendation_id": f"r{n}"}})
        lines.append({"served": {"recommendation_id": f"r{n}", "user_id": user, "timestamp": TIME,
                                 "items": items}})
    return lines, slots


def put_store(folder, lines, name="s.db"):
    path = os.path.join(folder, "in.jsonl")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
    url = "sqlite:" + os.path.join(folder, name)
    palate("import", path, "--store", url)
    return url


def test_served_lists(folder):
    lines, slots = people(3000, random.Random(5))
    event = {"user_id": "u1", "item_id": "0", "type": "click", "value": 1, "timestamp": TIME}
    lines += [{"event": dict(event, timestamp=TIME + 25 * 3600000, recommendation_id="r1")},
              {"event": dict(event, recommendation_id="nowhere")},
              {"event": dict(event, user_id="someone else")},
              {"event": dict(event, timestamp=TIME - 1)}]
    url = put_store(folder, lines)
    told = palate("ope", "--store", url, "--weights", "click:1,*:0", "--json").json
    explored = [s for s in slots if s[0]]
    same((told["lists"], told["slots"], told["explored"], told["users"], told["rewarded"]),
         (3000, 9000, len(explored), 400, sum(s[2] for s in slots)))
    same(told["events"]["outside_window"] + told["events"]["unknown"], 2)
    by = {p["policy"]: p for p in told["policies"]}
    near(by["as-shown"]["value"], sum(s[2] for s in slots) / len(slots))
    near(by["no-exploration"]["value"], sum(s[2] for s in slots if not s[0])
         / (len(slots) - len(explored)))
    near(by["bandit"]["value"], sum(s[2] for s in explored) / len(explored))
    near(by["random"]["value"], sum(s[2] / s[1] for s in explored)
         / sum(1 / s[1] for s in explored))
    # what is true of these people (of a list's second and third draw but nearly)
    true = {"no-exploration": sum(PAYS[:3]) / 3, "random": sum(PAYS[3:]) / 9,
            "bandit": sum(p * b for p, b in zip(PAYS[3:], DRAWN))}
    for name, value in true.items():
        low, high = by[name]["interval"]
        if not low <= value <= high:
            fail(f"{name}: {value} is not in {by[name]}")
    sources = {(s["source"], s["explored"]): s for s in told["sources"]}
    same(sorted(sources), [("als", False), ("bandit", True)])
    near(sources["als", False]["value"], by["no-exploration"]["value"])
    same(sources["bandit", True]["acted_on"], sum(s[2] for s in explored))
    # by the usual weights a click is worth more than the view that it follows
    usual = palate("ope", "--store", url, "--json", "--bootstrap", "0").json
    near(usual["policies"][0]["value"], sum(.3 if s[2] else .1 for s in slots) / len(slots),
         1e-6)  # weights are floats
    text = palate("ope", "--store", url).out
    for word in ["without exploration", "the bandit in every slot", "bandit, explored"]:
        if word not in text:
            fail(text)


def test_events_without_an_id(folder):
    """They answer the latest list that showed the item to the user: here, where a user's lists are
    an hour apart, what comes out is the same as with ids."""
    lines, _ = people(2000, random.Random(6))
    for line in lines:
        row = line.get("served") or line["event"]
        row["timestamp"] += int(row["recommendation_id"][1:]) // 400 * 3600000
    told = palate("ope", "--store", put_store(folder, lines), "--json").json
    for line in lines:
        line.get("event", {}).pop("recommendation_id", None)
    bare = palate("ope", "--store", put_store(folder, lines, "bare.db"), "--json").json
    same(told["events"].pop("counted_without_id"), 0)
    same(bare["events"].pop("counted_without_id"), told["events"]["counted"])
    told.pop("store"), bare.pop("store")
    same(bare, told)
    # a list that did not show it, one that came later, one too long ago: none is answered
    bare = palate("ope", "--store", put_store(folder, lines, "bare.db"), "--json", "--window",
                  "0.01").json
    same((bare["rewarded"], bare["events"]["counted"]), (0, 0))


def test_what_served_lists_cannot_tell(folder):
    refuses(1, "ope", "--store", "sqlite:" + os.path.join(folder, "no.db"), says="no.db")
    bare = {"item_id": "1", "source": "als", "score": 1}
    row = {"recommendation_id": "a", "user_id": "u", "timestamp": TIME, "items": [bare]}
    url = put_store(folder, [{"served": row}])
    refuses(1, "ope", "--store", url, says=["no served lists with propensities", "1 without"])
    whole = dict(bare, propensity=1)
    url = put_store(folder, [{"served": row}, {"served": dict(row, recommendation_id="b",
                                                              items=[whole])}], "t.db")
    told = palate("ope", "--store", url, "--json").json
    same(([p["policy"] for p in told["policies"]], told["lists_without_propensities"]),
         (["as-shown", "no-exploration"], 1))
    if "No slot was explored" not in palate("ope", "--store", url).out:
        fail("it does not say that nothing was explored")


run(globals())
