"""Every call of the HTTP API against a running server: shapes, effects, errors."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import ROOT, fail, run, same  # noqa: E402

GENRES = {"c": "Comedy", "d": "Drama", "h": "Horror"}


def catalog(site, count=30):
    """Films c0…, d0…, h0… of three genres."""
    items = [{"item_id": f"{kind}{i}", "title": f"Title-{kind}{i} ({1980 + i})",
              "categories": [genre], "attributes": {"year": 1980 + i, "stars": ["A", "B"][i % 2:]}}
             for kind, genre in GENRES.items() for i in range(count)]
    same(site.post("/v1/items", {"items": items}), {"accepted": 3 * count})


def problem(answer, status, code=None, says=""):
    if answer.status != status:
        fail(f"expected {status}, got {answer}")
    same(answer.headers["Content-Type"], "application/problem+json")
    body = answer.json
    same(body["status"], status)
    if code:
        same(body["code"], code)
    if says not in body["detail"]:
        fail(f"'{says}' is not in {body}")
    if not body["request_id"] or body["request_id"] != answer.headers["X-Request-Id"]:
        fail(f"no request id: {body}")


def refused(site, method, path, data, says, status=400):
    body = None if data is None else json.dumps(data).encode()
    problem(site.raw(method, path, body), status, says=says)


def test_items(folder):
    with Site(folder) as site:
        item = {"title": "Heat (1995)", "categories": ["Action", "Crime"],
                "attributes": {"year": 1995, "price": 9.5, "cast": ["Pacino", "De Niro"]},
                "image_url": "https://example.org/heat.jpg", "available": True,
                "created_at": 1700000000000}
        whole = {"item_id": "heat/1 \U0001F525\"'", **item}
        path = "/v1/items/heat%2F1%20%F0%9F%94%A5%22'"
        same(site.put(path, item), whole)
        same(site.get(path), whole)
        same(site.get("/v1/items", limit=5), {"items": [whole], "next": None, "total": 1})
        same(site.delete(path), {"deleted": True})
        same(site.delete(path), {"deleted": False})
        problem(site.raw("GET", path), 404)
        problem(site.raw("GET", "/v1/items/nothing"), 404, says="nothing")
        same(site.get("/v1/items")["items"], [])
        bare = site.put("/v1/items/bare", {})
        same([bare[k] for k in ("title", "categories", "attributes", "image_url", "available")],
             [None, [], {}, None, True])


def test_browsing(folder):
    with Site(folder) as site:
        catalog(site)
        seen, cursor = [], None
        for _ in range(100):
            page = site.get("/v1/items", limit=7, **({"cursor": cursor} if cursor else {}))
            seen += [item["item_id"] for item in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        same(len(seen), 90)
        same(len(set(seen)), 90)
        found = site.get("/v1/items", search="1997 TITLE-C")["items"]
        same([i["item_id"] for i in found], ["c17"])
        found = site.get("/v1/items", filter='categories has "Drama" and year >= 2005')["items"]
        same(sorted(i["item_id"] for i in found), [f"d{i}" for i in range(25, 30)])
        same(site.get("/v1/items", search="title-c", limit=5)["total"], 30)
        odd = site.get("/v1/items", filter="yaer > 1990")
        same([odd["items"], odd["total"]], [[], 0])
        if "did you mean 'year'" not in odd["hint"]:
            fail(odd["hint"])
        for path in ("/v1/users/ann/recommendations", "/v1/popular", "/v1/items/c0/similar"):
            if "'yaer'" not in site.get(path, filter="yaer > 1990")["hint"]:
                fail(f"{path} has no hint")
            same("hint" in site.get(path, filter="year > 1990"), False)
        refused(site, "GET", "/v1/items?filter=year%20%3E", None, "character")
        refused(site, "GET", "/v1/items?limit=0", None, "limit")
        refused(site, "GET", "/v1/items?lmit=1", None, "lmit")


def test_events_count_at_once(folder):
    """Who has liked only comedies sees mostly comedies on the next request, before any training."""
    with Site(folder) as site:
        catalog(site)
        site.wait(lambda: site.get("/v1/items/c0/similar")["items"])
        same(site.post("/v1/events", [{"user_id": "carla", "item_id": f"c{i}", "type": "like"}
                                      for i in range(4)]), {"accepted": 4})
        ids = site.recommend("carla", n=10, explore=0)
        same(len(ids), 10)
        if sum(i.startswith("c") for i in ids) < 6:
            fail(f"few comedies: {ids}")
        if set(ids) & {f"c{i}" for i in range(4)}:
            fail(f"seen items come back: {ids}")
        answer = site.get("/v1/users/carla/recommendations", explain=1, details=1, explore=0)
        same(answer["user_id"], "carla")
        same(answer["personal"], True)
        reasons = [r["item_id"] for item in answer["items"] for r in item.get("reasons", [])]
        if not reasons or set(reasons) - {f"c{i}" for i in range(4)}:
            fail(f"no reasons, or wrong ones: {answer}")
        same(answer["items"][0]["categories"], ["Comedy"])
        site.post("/v1/events", {"user_id": "carla", "item_id": ids[0], "type": "dislike",
                                 "recommendation_id": answer["recommendation_id"]})
        if ids[0] in site.recommend("carla"):
            fail("a disliked item came back")


def test_events_are_kept(folder):
    with Site(folder) as site:
        catalog(site, 5)
        now = int(time.time() * 1000)
        events = [{"user_id": "u", "item_id": f"c{i}", "type": "rating", "value": i + 0.5,
                   "timestamp": now - 1000 * (9 - i), "event_id": f"e{i}"} for i in range(5)]
        site.post("/v1/events", {"events": events})
        site.post("/v1/events", events[2])  # a retry is harmless
        page = site.get("/v1/users/u/events", limit=3)
        same(page["events"], [events[4], events[3], events[2]])
        page = site.get("/v1/users/u/events", limit=3, cursor=page["next"])
        same(page, {"events": [events[1], events[0]], "next": None})
        same(site.get("/v1/users/u")["event_count"], 5)
        iso = {"user_id": "iso", "item_id": "c1", "timestamp": "2024-02-29T12:00:00+01:00"}
        site.post("/v1/events", iso)
        got = site.get("/v1/users/iso/events")["events"][0]
        same([got["timestamp"], got["type"], got["value"]], [1709204400000, "like", 1])
        site.post("/v1/events", {"user_id": 7, "item_id": 8})
        same(site.get("/v1/users/7/events")["events"][0]["item_id"], "8")


def test_bad_events(folder):
    with Site(folder) as site:
        good = {"user_id": "u", "item_id": "i"}
        late = int(time.time() * 1000) + 600000
        for data, says in [
                ([good, {"user_id": "u"}], "events[1].item_id"), ({**good, "vlaue": 1}, "vlaue"),
                ({**good, "value": "x"}, "value"), ({**good, "type": "x" * 32}, "type"),
                ({**good, "timestamp": late}, "future"), ({**good, "timestamp": "soon"}, "time"),
                ({**good, "user_id": ""}, "user"), ({**good, "item_id": "x" * 257}, "256"),
                ({**good, "user_id": 1.5}, "user_id"), ("text", "object"), ([[]], "object"),
                ({"events": good}, "array"), ([good] * 10001, "10000")]:
            refused(site, "POST", "/v1/events", data, says)
        for body in [b"", b"{", b"[1,2", b'{"user_id":"u","user_id":"v","item_id":"i"}',
                     b'{"user_id":"\xff","item_id":"i"}', b'{"user_id":"u\\u0000x","item_id":"i"}']:
            problem(site.raw("POST", "/v1/events", body), 400)
        problem(site.raw("POST", "/v1/events", b"{}", {"Content-Type": "text/plain"}), 415)
        problem(site.raw("GET", "/v1/users/u"), 404)  # nothing of all that was kept
        same(site.get("/v1/items")["total"], 0)


def test_users_and_erasure(folder):
    with Site(folder) as site:
        catalog(site, 5)
        user = site.put("/v1/users/eve", {"attributes": {"age": 30}})
        same(user["attributes"], {"age": 30})
        site.post("/v1/events", [{"user_id": "eve", "item_id": f"c{i}"} for i in range(3)])
        site.recommend("eve")
        export = site.get("/v1/users/eve", export=1)
        same([export["attributes"], export["event_count"], len(export["events"])],
             [{"age": 30}, 3, 3])
        same(len(export["served"]), 1)
        same(len(export["served"][0]["items"]), 10)
        same(site.delete("/v1/users/eve"), {"deleted": True})
        problem(site.raw("GET", "/v1/users/eve"), 404)
        same(site.get("/v1/users/eve/events"), {"events": [], "next": None})
        same(site.get("/v1/users/eve/recommendations")["personal"], False)


def test_histories_and_rank(folder):
    with Site(folder) as site:
        catalog(site)
        site.wait(lambda: site.get("/v1/items/h3/similar")["items"])
        similar = site.get("/v1/items/h3/similar", n=5)
        same(similar["item_id"], "h3")
        same([i["item_id"][0] for i in similar["items"]], ["h"] * 5)
        problem(site.raw("GET", "/v1/items/none/similar"), 404)
        answer = site.post("/v1/recommendations", {
            "history": ["h1", {"item_id": "h2", "type": "like"}, "unknown"], "n": 6,
            "exclude": ["h5"], "filter": 'categories has "Horror"', "explore": 0})
        ids = [i["item_id"] for i in answer["items"]]
        same([i[0] for i in ids], ["h"] * 6)
        if {"h1", "h2", "h5"} & set(ids):
            fail(f"seen or excluded: {ids}")
        order = site.post("/v1/rank", {"history": ["h1", "h2"], "item_ids": ["c1", "h9", "x"]})
        same(order["items"][0]["item_id"], "h9")
        same(sorted(i["item_id"] for i in order["items"]), ["c1", "h9", "x"])
        refused(site, "POST", "/v1/rank", {"user_id": "u", "history": [], "item_ids": ["c1"]},
                "not both")
        refused(site, "POST", "/v1/recommendations", {"history": [], "n": 0}, "n")
        refused(site, "GET", "/v1/users/u/recommendations?model=none", None, "none", 404)


def test_popular_and_trending(folder):
    with Site(folder) as site:
        catalog(site)
        for i in range(3):
            site.post("/v1/events", [{"user_id": f"u{j}", "item_id": f"d{i}"}
                                     for j in range(9 - 3 * i)])
        want = ["d0", "d1", "d2"]
        site.wait(lambda: [i["item_id"] for i in site.get("/v1/popular", n=3)["items"]] == want)
        same(len(site.get("/v1/trending", n=3)["items"]) > 0, True)
        same([i["item_id"] for i in site.get("/v1/popular", n=2, exclude=["d0"])["items"]],
             ["d1", "d2"])


def test_newcomers_and_old_data(folder):
    """What was liked years ago still leads those of whom nothing is known."""
    with Site(folder) as site:
        catalog(site)
        long_ago = 946684800000
        site.post("/v1/events", [{"user_id": f"u{u}", "item_id": f"d{i}", "timestamp": long_ago}
                                 for u in range(40) for i in range(5)])
        site.post("/v1/events", {"user_id": "somebody", "item_id": "h1"})  # and one is of today
        want = {f"d{i}" for i in range(5)}
        site.wait(lambda: len(want & set(site.recommend("new", n=8, explore=0))) >= 4)


def test_edges(folder):
    with Site(folder) as site:
        same(site.get("/v1/users/nobody/recommendations")["items"], [])
        same(site.get("/v1/popular")["items"], [])
        long = "\U0001F984" * 64  # 256 bytes
        site.post("/v1/items", [{"item_id": long, "title": "\"quoted\" \\ and 'so'"}])
        same(site.recommend("u", n=1000), [long])
        site.post("/v1/events", {"user_id": "u", "item_id": long})
        same(site.recommend("u", n=5), [])  # everything is seen
        site.put("/v1/items/hidden", {"available": False})
        same(site.recommend("v", n=5), [long])
        same(site.recommend(long), [long])


def test_classic(folder):
    with Site(folder, "--allow-cleanup") as site:
        same(site.get("/healthcheck")["status"], "live")
        site.post("/add_items", {"item_ids": [1, 2, "3", "x"],
                                 "genres": [["Comedy"], ["Drama"], None, []]})
        site.post("/add_items", {"item_ids": [4]})
        got = site.get("/recs/u")["item_ids"]
        same(sorted(map(str, got)), ["1", "2", "3", "4", "x"])
        same([type(i) for i in sorted(got, key=str)], [int, int, str, int, str])
        site.post("/interact", {"user_id": 5, "item_ids": [1, "x", 99],
                                "actions": ["like", "dislike", "like"],
                                "timestamp": time.time()})
        same(sorted(map(str, site.get("/recs/5")["item_ids"])), ["2", "3", "4"])
        if 99 not in site.get("/recs/u")["item_ids"]:
            fail("an item that only an interaction named is not there, or not as an integer")
        site.post("/add_items", {"item_ids": [1], "genres": None})
        same(site.get("/v1/items/1")["categories"], ["Comedy"])
        refused(site, "POST", "/interact", {"user_id": 5, "item_ids": [1], "actions": []},
                "as many")
        refused(site, "POST", "/interact", {"user_id": 5, "item_ids": [1], "actions": ["hate"]},
                "like")
        refused(site, "POST", "/add_items", {"item_ids": [1], "genres": [[], []]}, "genres")
        problem(site.raw("GET", "/cleanup", headers={"Sec-Fetch-Site": "cross-site"}), 403,
                "foreign_origin")  # an <img> of any page could ask for it
        same(sorted(map(str, site.get("/recs/5")["item_ids"])), ["2", "3", "4"])
        site.post("/cleanup", {})
        same(site.get("/recs/5")["item_ids"], [])
        same(site.get("/v1/items")["total"], 0)
    with Site(os.path.join(folder)) as site:
        problem(site.raw("GET", "/cleanup"), 403, "cleanup_not_allowed")


def test_operations(folder):
    with Site(folder) as site:
        catalog(site, 3)
        site.post("/v1/events", {"user_id": "u", "item_id": "c1", "type": "view"})
        site.recommend("u")
        same(site.get("/health/ready"), {"status": "ready"})
        metrics = site.raw("GET", "/metrics").body.decode()
        for line in ['palate_events_total{type="view"} 1', "palate_catalog_items 9",
                     "palate_journal_failing 0", "palate_model_version 0",
                     "palate_journal_most_bytes 4294967296", "palate_served_lost_total 0"]:
            if line not in metrics.splitlines():
                fail(f"'{line}' is not in\n{metrics}")
        names = {}
        for line in metrics.splitlines():  # one TYPE per name, every sample a number
            if line.startswith("# TYPE"):
                same(names.setdefault(line.split()[2], line), line)
            elif not line.startswith("#"):
                float(line.rsplit(" ", 1)[1])
        status = site.get("/v1/status")
        same(status["catalog"]["items"], 9)
        same(status["journal"]["failing"], None)
        if not any(r["route"] == "/v1/events" and r["requests"] == 1 for r in status["routes"]):
            fail(f"no traffic: {status}")
        stats = site.get("/v1/stats")
        same([stats["items"], stats["events"], stats["types"]["view"]], [9, 1, 1])
        same([stats["cold"][key] for key in ["edges", "items"]],
             [[0, 1, 2, 5, 10, 50], [8, 1, 0, 0, 0, 0]])
        same([stats["liking"]["users"], stats["times"]["counts"]], [[0] * 6, [1]])
        same([stats["activity"]["counts"], stats["popularity"]["counts"]], [[1], [1]])
        same(site.get("/v1/models"), {"current": None, "versions": []})
        same(site.get("/v1/train")["state"], "idle")
        same(site.get("/v1/runs"), {"runs": []})
        report = {"world": "w", "rounds": [1, 2], "series": {"palate": [0.1, None]}, "at": 5}
        same(site.post("/v1/simulations", report), {"accepted": 1})
        same(site.get("/v1/simulations"), {"simulations": [report]})
        problem(site.raw("POST", "/v1/models/7/activate"), 404)
        problem(site.raw("GET", "/v1/models/7/report"), 404)
        problem(site.raw("GET", "/v1/models/x/report"), 400)
        problem(site.raw("GET", "/v1/models/7/report?n=1"), 400)
        refused(site, "POST", "/v1/train", {"model": "als"}, "no fields")
        refused(site, "POST", "/v1/models/reload", [], "no fields")
        page = site.raw("GET", "/")
        same(page.status, 200)
        if "default-src 'self'" not in page.headers["Content-Security-Policy"]:
            fail("no policy")


def test_sources(folder):
    """What was recommended and what came of it, by source: once for each time it was shown, and
    only for those who were shown it."""
    def count(name):
        lines = site.raw("GET", "/metrics").body.decode().splitlines()
        found = [line.split(" ") for line in lines if line.startswith(f"palate_{name}{{")]
        return {head.split('"')[1]: int(number) for head, number in found}

    with Site(folder, "--set", "engine.explore=0") as site:
        catalog(site, 3)
        listed = site.get("/v1/users/u/recommendations", n=4)["items"]
        shown = {}
        for item in listed:
            shown[item["source"]] = shown.get(item["source"], 0) + 1
        same(count("recommended_items_total"), shown)
        same(count("taken_items_total"), {source: 0 for source in shown})
        first, second, third, fourth = listed
        for user, item, kind in [("u", first, "view"), ("u", first, "like"),
                                 ("u", second, "dislike"), ("v", third, "like"),
                                 ("u", fourth, "purchase")]:
            site.post("/v1/events", {"user_id": user, "item_id": item["item_id"], "type": kind})
        taken = {source: 0 for source in shown}
        for item in (first, fourth):
            taken[item["source"]] += 1
        same(count("taken_items_total"), taken)


def test_runs(folder):
    """The list of runs of the folder of models; a line from anywhere breaks no reader."""
    models = os.path.join(folder, "models")
    os.makedirs(models)
    whole = {"run": "a", "parent": None, "command": "tune", "name": "tune x", "status": "finished",
             "message": None, "started_ms": 5, "ended_ms": 9, "params": {"data": "x"},
             "metrics": {"ndcg@10": 0.5}, "steps": {"ndcg@10": [[1, 0.25]]},
             "tags": {"palate.metric": "ndcg@10"}, "artifacts": ["best.ini"]}
    lines = [whole, {**whole, "run": "b", "parent": "a"}, "torn", {"run": "c", "params": 7},
             {**whole, "run": "d", "name": 3, "started_ms": "x", "artifacts": [1, "y"]}]
    with open(os.path.join(models, "runs.jsonl"), "w", encoding="utf-8") as f:
        f.writelines(line + "\n" if line == "torn" else json.dumps(line) + "\n" for line in lines)
    with Site(folder) as site:
        runs = site.get("/v1/runs")["runs"]
        same([run["run"] for run in runs], ["d", "c", "a"])
        wanted = {key: value for key, value in whole.items() if not key.endswith("_ms")}
        same(runs[2], {**wanted, "began_at": 5, "ended_at": 9})
        same(set(runs[1]), set(runs[2]))
        same([runs[0][key] for key in ["name", "began_at", "artifacts"]], [None, None, ["y"]])
        same([run["run"] for run in site.get("/v1/runs?parent=a")["runs"]], ["b"])
        same([run["run"] for run in site.get("/v1/runs?n=1")["runs"]], ["d"])
        problem(site.raw("GET", "/v1/runs?n=0"), 400)
        problem(site.raw("GET", "/v1/runs?m=1"), 400)


def test_document_and_routes_agree(folder):
    """Every call of the document is there, and every route is in the document."""
    with Site(folder) as site:
        document = site.get("/openapi.json")
    same(document["openapi"], "3.1.0")
    described = {(m.upper(), p) for p, ops in document["paths"].items() for m in ops}
    with open(os.path.join(ROOT, "src", "server", "api.c"), encoding="utf-8") as source:
        rows = [line.split('"') for line in source if line.startswith('    {{"')]
    routes = {(row[1], row[3]) for row in rows}
    same(routes - described, {("GET", "/"), ("GET", "/favicon.ico"), ("GET", "/assets/{file}")})
    same(described - routes, set())


run(globals())
