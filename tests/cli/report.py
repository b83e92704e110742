"""palate report: one HTML file whose numbers are those of palate eval and palate stats, that needs
nothing from outside, and that no title, label or category can break."""
import base64
import hashlib
import html.parser
import json
import os
import re

from harness import QUICK, fail, palate, refuses, run, same, world

VOID = {"meta", "link", "br", "input"}
EVIL = '<script>alert("x")</script>\'&'


class Page(html.parser.HTMLParser):
    """What a file holds: tables by figure, charts, texts of elements that matter; fails on tags
    that don't match."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.figure, self.row = [], None, None
        self.tables, self.charts, self.ids, self.links = {}, {}, [], []
        self.inline, self.policy, self.text = {"style": [], "script": []}, "", {}
        with open(path, encoding="utf-8") as f:
            self.source = f.read()
        self.feed(self.source)
        same(self.open, [])

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ["src", "href", "action"] if name in attrs]
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]
        if tag == "figure":
            self.figure = attrs["id"]
            self.tables[self.figure] = []
        if tag == "tr":
            self.row = []
            self.tables[self.figure].append(self.row)
        if tag in ["td", "th"]:
            self.row.append("")
        if tag == "data":
            if self.row:
                self.row[-1] = attrs["value"]
            self.text.setdefault("data", []).append(attrs["value"])
        if tag not in VOID:
            self.open.append((tag, attrs))

    def handle_endtag(self, tag):
        same(self.open.pop()[0], tag)
        self.figure = None if tag == "figure" else self.figure
        self.row = None if tag == "table" else self.row

    def handle_data(self, data):
        tag, attrs = self.open[-1] if self.open else ("", {})
        if tag == "script" and attrs.get("type") == "application/json":
            self.charts[self.figure] = json.loads(data)
        elif tag in self.inline:
            self.inline[tag].append(data)
        elif tag in ["td", "th", "strong", "span"] and self.row and self.figure:
            self.row[-1] += data.strip()
        elif tag != "data":
            self.text.setdefault(tag, []).append(data)

    def table(self, figure):
        """Its rows as {label: [cells]}."""
        return {row[0]: row[1:] for row in self.tables[figure][1:]}


def number(text):
    return float(text.replace(",", ""))


def near(got, expected):
    if abs(number(got) - expected) > 1e-9 + 1e-9 * abs(expected):
        fail(f"got {got}, expected {expected}")


def evil_data(folder):
    """A shop whose titles and categories are written to break a page; with stars and times."""
    path = os.path.join(folder, "shop.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(40):
            f.write(json.dumps({"item": {
                "item_id": f"i{i}", "title": f"{EVIL} {i}",
                "categories": [[EVIL, "</script><b>"], ["]]>", EVIL], ["\u2028&amp;"]][i % 3]}})
                + "\n")
        for u in range(30):
            for k in range(u % 9 + 1):
                f.write(json.dumps({"event": {
                    "user_id": f"u{u}", "item_id": f"i{(u * 7 + k * 3) % 37}", "type": "rating",
                    "value": 1 + (u + k) % 5, "timestamp": 1500000000000 + 864000000 * k}}) + "\n")
    return path


def check_whole(page):
    """Nothing from outside, and the policy names just what is inside."""
    same([link for link in page.links if not link.startswith("data:")], [])
    for word in ["@import", "url("]:
        same([css for css in page.inline["style"] if word in css], [])
    for kind in ["style", "script"]:
        for text in page.inline[kind]:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            if f"{kind}-src" not in page.policy or f"'sha256-{digest}'" not in page.policy:
                fail(f"{kind} is not in the policy: {page.policy}")
    if "default-src 'none'" not in page.policy or "unsafe" in page.policy:
        fail(page.policy)
    same(len(page.ids), len(set(page.ids)))
    same(len(page.inline["style"]), 1)


def test_numbers_are_those_of_eval(folder):
    data, out = world(folder), os.path.join(folder, "r.html")
    how = ["--data", data, "--model", "als,popular,random", *QUICK, "--metrics",
           "ndcg@10,coverage@10,novelty@10", "--seed", "3", "--bootstrap", "200"]
    told = palate("eval", *how, "--compare", "--json").json
    said = palate("report", *how, "-o", out).out
    same((out in said, "needs nothing" in said), (True, True))
    page = Page(out)
    check_whole(page)
    rows = page.table("overview")
    head = page.tables["overview"][0]
    same(head[:5], ["Model", "ndcg@10", "coverage@10", "novelty@10", "p"])
    for result in told["results"]:
        cells = rows[result["label"]]
        for m, (name, value) in enumerate(result["metrics"].items()):
            near(cells[m], value)
            one = page.table(f"metric-{m + 1}")[result["label"]]
            near(one[0], value)
            if name in result["intervals"]:
                near(one[1], result["intervals"][name][0])
                near(one[2], result["intervals"][name][1])
        for g, group in enumerate(result["groups"]):
            near(page.table("groups")[result["label"]][g], group["metrics"]["ndcg@10"])
    for one in told["comparisons"]:
        near(rows[one["b"]][3], one["p"])
    best = told["comparisons"][0]["a"]
    same(rows[best][3], "–")
    same(page.text["b"][0], best)
    points = page.charts["against-coverage"]
    same(points["labels"], [r["label"] for r in told["results"]])
    for i, result in enumerate(told["results"]):
        near(str(points["series"][0]["values"][i]), result["metrics"]["coverage@10"])
        near(str(points["series"][1]["values"][i]), result["metrics"]["ndcg@10"])


def test_groups_add_up(folder):
    """Thirds of the users, whose means weighted by how many they are make up the whole's."""
    for result in palate("eval", "--data", world(folder), "--model", "als,popular", *QUICK,
                         "--metrics", "ndcg@10,coverage@10", "--json").json["results"]:
        groups = result["groups"]
        same(len(groups), 3)
        same(sum(g["users"] for g in groups), result["users"])
        for before, after in zip(groups, groups[1:]):
            same(before["history_to"] < after["history_from"], True)
        same([list(g["metrics"]) for g in groups], [["ndcg@10"]] * 3)
        mean = sum(g["users"] * g["metrics"]["ndcg@10"] for g in groups) / result["users"]
        near(str(mean), result["metrics"]["ndcg@10"])


def test_numbers_are_those_of_stats(folder):
    data, out = world(folder), os.path.join(folder, "r.html")
    palate("report", "--data", data, "--model", "none", "-o", out)
    stats, page = palate("stats", "--data", data, "--json").json, Page(out)
    check_whole(page)
    same("overview" in page.tables, False)
    same([number(text) for text in page.text["dd"] if re.fullmatch(r"[\d,]+", text)][:3],
         [stats["users"], stats["items_known"], stats["interactions"]])
    for name, column, key in [("activity", 0, "users"), ("types", 0, "interactions"),
                              ("times", 0, "interactions"), ("cold", 3, "users")]:
        same(sum(number(row[column]) for row in page.table(name).values()), stats[key])
    for category in stats["categories"][:5]:
        cells = page.table("categories")[category["name"]]
        same([number(cells[2]), number(cells[3])], [category["items"], category["interactions"]])
    top = page.table("popularity")
    same(number(top["1"][0]), stats["item_popularity"]["p100"])
    same(number(top[str(stats["items"])][0]), stats["item_popularity"]["p0"])
    lorenz = {row: number(cells[0]) for row, cells in page.table("lorenz").items()}
    same((lorenz["0 %"], lorenz["100 %"]), (0, 100))
    # A fifth of the items, which stats rounds up to whole ones.
    more = 100 * (1 - stats["long_tail_share"]) - (100 - lorenz["80 %"])
    same(0 <= more < 100 * stats["item_popularity"]["p100"] / stats["interactions"], True)
    names = page.tables["together"][0][1:]
    pairs = {frozenset([p["a"], p["b"]]): p["items"] for p in stats["category_pairs"]}
    for name, cells in page.table("together").items():
        for other, cell in zip(names, cells):
            if other != name:
                same(number(cell), pairs.get(frozenset([name, other]), 0))


def test_nothing_breaks_the_page(folder):
    data, out = evil_data(folder), os.path.join(folder, "r.html")
    palate("report", "--data", data, "--model", "popular,content", "--bootstrap", "50", "-o", out)
    page = Page(out)
    check_whole(page)
    scripts = len(page.inline["script"])
    same(scripts in [0, 3], True)
    same(EVIL in page.table("categories"), True)
    same(EVIL in page.charts["categories"]["labels"], True)
    same("<script>alert" in page.source, False)
    same("<b>" in page.tables["together"][0][1] + page.tables["together"][0][2] +
         page.tables["together"][0][3], True)


def test_saved_results(folder):
    """The same figures without training again; labels are anybody's, and so is a broken file."""
    data, saved = world(folder), os.path.join(folder, "saved.json")
    out = os.path.join(folder, "r.html")
    told = palate("eval", "--data", data, "--model", "als,popular", *QUICK, "--compare", "--save",
                  saved, "--json").json
    base = ["report", "--data", data, "--results", saved, "-o", out]
    palate(*base)
    rows = Page(out).table("overview")
    near(rows["als"][0], told["results"][0]["metrics"]["ndcg@10"])
    near(rows["als"][-3], told["results"][0]["train_seconds"])

    def change(**what):
        with open(saved, "w", encoding="utf-8") as f:
            json.dump({**told, **what}, f)
    evil = {**told["results"][0], "label": EVIL, "options": {EVIL: EVIL}, "groups": 7,
            "intervals": [1], "train_seconds": None, "ranker": {"importance": {EVIL: .5}}}
    change(results=[evil, told["results"][1]], split=EVIL)
    palate(*base)
    page = Page(out)
    check_whole(page)
    same((EVIL in page.table("overview"), page.table("ranker-1")), (True, {EVIL: ["50"]}))
    for broken, says in [({"results": []}, "results"), ({"results": [{"label": "x"}]}, "metrics"),
                         ({"results": [{"label": "x", "metrics": {"a@b": 1}}]}, "a"),
                         ({"results": [{"label": "x", "metrics": {}}]}, "no metrics")]:
        change(**broken)
        refuses(1, *base, says=[saved, says])
    change(fingerprint="0123456789abcdef")
    refuses(2, *base, says="other data")
    with open(saved, "w", encoding="utf-8") as f:
        f.write("{")
    refuses(1, *base, says=[saved, "not what `palate eval --save` writes", "line 1"])
    refuses(2, *base, "--model", "als", says="--results")
    refuses(2, "report", "--data", "/none", "--model", "nope", says="nope")
    refuses(1, "report", "--data", data, "--model", "none", "-o", "/proc/x.html", says="/proc/x")


def test_the_command_is_told(folder):
    """What stands there makes the same figures again, quotes and all."""
    odd = os.path.join(folder, "it's here")
    os.mkdir(odd)
    data = world(odd, "a world.palate")
    out = os.path.join(folder, "r.html")
    palate("report", "--data", data, "--model", "als", *QUICK, "--bootstrap", "0", "--quiet",
           "-o", out, env={"PALATE_SEED": "5"})
    command = "".join(Page(out).text["code"])
    same(command.startswith("palate report --data '"), True)
    import shlex
    words = shlex.split(command)
    same(words[words.index("--data") + 1], data)
    same(words[words.index("--seed") + 1], "5")
    for setting in QUICK[1::2]:
        same(setting in words, True)
    before = Page(out).table("metric-1")
    palate(*words[1:])
    same(Page(out).table("metric-1"), before)


def test_poor_data(folder):
    """Neither times nor stars nor categories: those figures are left out, the others come."""
    path, out = os.path.join(folder, "lists.csv"), os.path.join(folder, "r.html")
    with open(path, "w", encoding="utf-8") as f:
        f.write("who,what\n")
        for u in range(30):
            f.writelines(f"u{u},i{(u * u + 5 * k) % 23}\n" for k in range(8))
    palate("report", "--data", path, "--columns", "user=who,item=what", "--model", "popular", "-o",
           out)
    page = Page(out)
    check_whole(page)
    same([name for name in ["values", "times", "categories", "together", "types"]
          if name in page.tables], [])
    same([name for name in ["activity", "popularity", "lorenz", "cold", "likes", "overview"]
          if name not in page.tables], [])


run(globals())
