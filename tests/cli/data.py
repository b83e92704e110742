"""palate import and stats: what data come in, and what is said of them."""
import os
import stat
import subprocess

from harness import (PALATE, WORLD, Skip, clean_environment, fail, palate, real_data, refuses, run,
                     same, world)

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,1000000000\n1,11,2.5,1000000100\n" \
          "2,10,5.0,1000000200\n3,12,3.0,1000086400\n"


def ratings(folder, text=RATINGS, name="ratings.csv"):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def test_stats_of_a_few_ratings(folder):
    """Every figure can be counted by hand."""
    told = palate("stats", "--data", ratings(folder), "--json").json
    same(sorted(told), ["bytes", "categories", "category_pairs", "data", "density", "fingerprint",
                        "first", "format", "gini", "interactions", "item_popularity", "items",
                        "items_known", "last", "long_tail_share", "mean_value", "repeats",
                        "skipped_lines", "test_interactions", "top1_share", "types",
                        "user_activity", "users", "values", "values_binned", "weights"])
    same((told["interactions"], told["users"], told["items"]), (4, 3, 3))
    same(round(told["density"], 6), round(4 / 9, 6))
    same(told["mean_value"], 3.625)
    same([(v["value"], v["count"]) for v in told["values"]], [(2.5, 1), (3, 1), (4, 1), (5, 1)])
    same(told["first"], "2001-09-09T01:46:40Z")
    same(told["last"], "2001-09-10T01:46:40Z")
    same((told["user_activity"]["p0"], told["user_activity"]["p100"]), (1, 2))
    same((told["item_popularity"]["p50"], told["item_popularity"]["p100"]), (1, 2))


def test_stats_as_text(folder):
    path = world(folder)
    out = palate("stats", "--data", path).out
    for word in ["interactions", "density", "time span", "Long tail", "Categories", "median"]:
        if word not in out:
            fail(f"'{word}' is not in {out}")
    for line in out.splitlines():
        if line != line.rstrip():
            fail(f"blanks at the end of: {line!r}")
    if not palate("stats", "--data", path, env={"LC_ALL": "C"}).out.isascii():
        fail("not ASCII in a locale that has no more")


def test_import_keeps_everything(folder):
    """What palate wrote is what it read; and it is the same at each writing."""
    source = ratings(folder)
    first, second = os.path.join(folder, "a.palate"), os.path.join(folder, "b.palate")
    told = palate("import", source, "-o", first, "--json").json
    same(sorted(told), ["bytes", "data", "fingerprint", "format", "interactions", "items",
                        "output", "read_seconds", "skipped_lines", "users"])
    same(told["bytes"], os.path.getsize(first))
    palate("import", first, "-o", second)
    read, kept = (palate("stats", "--data", p, "--json").json for p in (source, first))
    for key in ["interactions", "users", "items", "values", "first", "last", "fingerprint"]:
        same(kept[key], read[key])
    same(palate("stats", "--data", second, "--json").json["fingerprint"], read["fingerprint"])


def test_import_of_named_columns(folder):
    path = ratings(folder, "when;who;what;how\n2001-09-09;ann;a;1\n2001-09-10;bob;b;2\n",
                   "log.csv")
    out = os.path.join(folder, "log.palate")
    palate("import", path, "-o", out, "--columns", "user=who,item=what,value=how,time=when")
    same(palate("stats", "--data", out, "--json").json["users"], 2)


def test_import_replaces_no_device(folder):
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    refuses(1, "import", ratings(folder, "user,item\nann,a\n", "one.csv"), "-o", pipe,
            says=["cannot write", "ordinary file"])
    same(stat.S_ISFIFO(os.stat(pipe).st_mode), True)


def test_nothing_to_learn_from(folder):
    """A header alone can be looked at, not trained on; nor can events that count for nothing."""
    header = ratings(folder, "user,item,rating\n", "header.csv")
    same("Long tail" in palate("stats", "--data", header).out, False)
    path = ratings(folder, "user,item,rating\nann,a,5\nann,b,4\nbob,a,3\n", "few.csv")
    for command in [["train", "--models", os.path.join(folder, "M")], ["eval"]]:
        refuses(1, *command, "--data", header, says="holds no events")
        for rules in ["like:1", "rating:-1", "rating>=5.5:1"]:
            refuses(2, *command, "--data", path, "--weights", rules,
                    says=["worth more than 0", "of type rating"])


def test_items_without_a_word(folder):
    """Attributes alone give the content model nothing to read: it is not among the default ones."""
    ratings(folder, "user_id,item_id,type\nann,a,like\nann,b,like\nbob,a,like\n", "events.csv")
    ratings(folder, "item_id,title,categories,price\na,,,3\nb,,,4\n", "items.csv")
    told = palate("train", "--data", folder, "--models", os.path.join(folder, "M"), "--json").json
    same([m["model"] for m in told["models"]], ["als", "ease", "popular"])


def test_a_folder_of_data_sets(folder):
    for name in ["two", "one"]:
        os.mkdir(os.path.join(folder, name))
    refuses(1, "stats", "--data", folder, says="give one of its folders: one, two")


def test_synthetic_worlds(folder):
    """The same seed gives the same world; --data synthetic:SEED is the world that import writes."""
    a, b = world(folder, "a.palate", 7), world(folder, "b.palate", 7)
    with open(a, "rb") as f, open(b, "rb") as g:
        same(f.read() == g.read(), True)
    print_of = [palate("stats", "--json", "--data", *d).json["fingerprint"]
                for d in ([a], [world(folder, "c.palate", 8)], ["synthetic:7", *WORLD],
                          ["synthetic", "--seed", "7", *WORLD])]
    same(print_of[0] != print_of[1], True)
    same(print_of[2:], [print_of[0]] * 2)
    told = palate("stats", "--json", "--data", a).json
    same((told["users"] <= 300, told["items_known"]), (True, 200))
    refuses(2, "stats", "--data", "synthetic:x", says="synthetic:SEED")
    refuses(2, "stats", "--data", "synthetic", "--set", "synth.uses=3", says="did you mean 'users'")


def test_data_by_name(folder):
    """A name is looked up in the folder $PALATE_DATA."""
    world(folder, "mine.palate")
    env = {"PALATE_DATA": folder}
    same(palate("stats", "--data", "mine.palate", "--json", env=env).json["items_known"], 200)
    refuses(1, "stats", "--data", "yours", env=env, says="neither here nor in $PALATE_DATA")
    refuses(1, "stats", "--data", "yours", says="PALATE_DATA names no folder")
    ratings(folder, "user,item\nann\n", "short.csv")
    told = refuses(1, "stats", "--data", "short.csv", env=env, says="short.csv:2:")
    same("neither here" in told.err, False)
    refuses(1, "stats", env=env, says=["PALATE_DATA: ", "--data names another"])
    path = os.path.join(folder, "mine.palate")
    same(palate("stats", "--json", env={"PALATE_DATA": path}).json["items_known"], 200)


def test_malformed_lines(folder):
    """Named by file and line, unless --skip-bad allows for them."""
    path = ratings(folder, RATINGS + "4,12\n5,12,3.0,1000000000\n")
    refuses(1, "stats", "--data", path, says=["ratings.csv", "6"])
    told = palate("stats", "--data", path, "--skip-bad", "1", "--json").json
    same((told["interactions"], told["skipped_lines"]), (5, 1))


def test_what_can_go_wrong(folder):
    refuses(2, "stats", says="--data")
    refuses(1, "stats", "--data", os.path.join(folder, "none"), says="none")
    refuses(1, "stats", "--data", ratings(folder, "", "empty.csv"), says="empty.csv")
    refuses(2, "import", says="import what?")
    refuses(2, "import", "x", "--synthetic", says="not both")
    refuses(2, "import", ratings(folder), "-o", folder, says="is a folder")
    refuses(1, "import", ratings(folder), "-o", "/proc/x.palate", says="/proc/x.palate")
    refuses(2, "stats", "--data", ratings(folder), "--format", "nonsense", says="nonsense")
    refuses(2, "stats", "--data", ratings(folder), "--columns", "user=nobody,item=movieId",
            says="nobody")


def test_truncated_and_damaged_files(folder):
    path = world(folder)
    with open(path, "rb") as f:
        whole = f.read()
    for name, text in [("short", whole[:-100]), ("head", whole[:6]),
                       ("flip", whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:])]:
        bad = os.path.join(folder, f"{name}.palate")
        with open(bad, "wb") as f:
            f.write(text)
        refuses(1, "stats", "--data", bad, says=f"{name}.palate")


def test_full_disk(folder):
    """The old file stays, the new one is not half there, and the reason is given."""
    path = world(folder, "old.palate")
    with open(path, "rb") as f:
        before = f.read()
    refuses(1, "import", "--synthetic", "-o", path, *WORLD, "--seed", "9", limit=4096,
            says="old.palate")
    with open(path, "rb") as f:
        same(f.read() == before, True)
    same(os.listdir(folder), ["old.palate"])


def test_full_tmpfs(folder):
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", folder],
                           capture_output=True, check=False)
    if mount.returncode:
        raise Skip("may not mount a tmpfs")
    try:
        refuses(1, "import", "--synthetic", "-o", os.path.join(folder, "x.palate"), *WORLD,
                says=["x.palate", "No space left"])
        same(os.listdir(folder), [])
        refuses(1, "train", "--data", "synthetic", *WORLD, "--model", "popular", "--models",
                os.path.join(folder, "models"), says="No space left")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_read_only_folder(folder):
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder],
                           capture_output=True, check=False)
    if mount.returncode:
        raise Skip("may not mount a read-only tmpfs")
    try:
        refuses(1, "import", "--synthetic", "-o", os.path.join(folder, "x.palate"), *WORLD,
                says=["x.palate", "Read-only"])
        refuses(1, "train", "--data", "synthetic", *WORLD, "--models",
                os.path.join(folder, "models"), says="Read-only")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_movielens(folder):
    """Published counts of MovieLens 1M; every folder of MovieLens is known by itself."""
    told = palate("stats", "--data", real_data("ml-1m"), "--json").json
    same((told["interactions"], told["users"], told["items"], told["items_known"]),
         (1000209, 6040, 3706, 3883))
    same([v["count"] for v in told["values"]], [56174, 107557, 261197, 348971, 226310])
    same(palate("stats", "--data", real_data("ml-100k"), "--json").json["interactions"], 100000)


def test_reader_that_goes_away(folder):
    path = world(folder)
    script = '"$1" stats --data "$2" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", script, "-", PALATE, path], capture_output=True,
                          check=False, env=clean_environment())
    same(done.stderr.decode(), "")
    same(done.stdout.decode().splitlines()[1], "0")


run(globals())
