"""What a person at a terminal sees: progress that goes away, colours, lines that fit."""
import os
import re
import signal

from harness import QUICK, WORLD, fail, on_terminal, palate, run, same, world

CODES = re.compile(r"\033\[[0-9;]*[A-Za-z]")
TRAIN = ["train", "--data", "synthetic", *WORLD, "--model", "als", "--set", "als.factors=64",
         "--set", "als.epochs=60"]


def screen(text):
    """The lines that stay: what was erased by a carriage return and 'erase to the end' is gone."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line[line.rfind("\r") + 1:]
        lines.append(CODES.sub("", line))
    return lines


def test_progress_comes_and_goes(folder):
    models = ["--models", os.path.join(folder, "models")]
    status, text = on_terminal(*TRAIN, *models)
    same(status, 0)
    if "als: " not in text or "%" not in text or "▕" not in text:
        fail(repr(text))
    # what training tells of itself stands beside it, on record or not
    for env in [{}, {"PALATE_TRACK": ""}]:
        if not re.search(r"▏[^\r]*  change \d", on_terminal(*TRAIN, *models, env=env)[1]):
            fail("the change of an epoch is not told")
    for line in screen(text):
        if "▕" in line:
            fail(f"progress stays on the screen: {line!r}")
    status, quiet = on_terminal(*TRAIN, *models, "--quiet")
    same((status, "▕" in quiet, "als: " in quiet), (0, False, False))
    same(palate(*TRAIN, *models).err, "")


def test_progress_without_unicode(folder):
    models = ["--models", os.path.join(folder, "models")]
    status, text = on_terminal(*TRAIN, *models, env={"LC_ALL": "C"})
    same((status, text.isascii()), (0, True))


def test_colours(folder):
    data = world(folder)
    status, text = on_terminal("stats", "--data", data)
    same((status, "\033[1m" in text), (0, True))
    for env in [{"NO_COLOR": "1"}, {"TERM": "dumb"}]:
        status, text = on_terminal("stats", "--data", data, "--quiet", env=env)
        same((status, "\033[" in text), (0, False))


def test_reasons_are_whole(folder):
    """A line of reasons that is too long goes on in the next one; no title is cut in it."""
    data, models = world(folder), os.path.join(folder, "models")
    palate("train", "--data", data, "--models", models, "--model", "als", *QUICK)
    asked = ["recommend", "--user", "1", "--explain", "--models", models]
    def reasons(text):
        text = " ".join(text.split())
        return [part.split(" als")[0] for part in text.split("because of ")[1:]]
    _, narrow = on_terminal(*asked, "-q", columns=60, env={"NO_COLOR": "1"})
    told = palate(*asked, "--json").json["recommendations"]
    for answer, seen in zip(told, reasons("\n".join(screen(narrow)))):
        for reason in answer["reasons"]:
            if reason["title"] not in seen:
                fail(f"{reason['title']} is not in {seen}")


def test_titles_do_not_steer_the_terminal(folder):
    for name, text in [("events.csv", "user_id,item_id,type\nann,a,like\nann,b,like\nbob,a,like\n"
                                      "bob,b,like\ncid,a,like\n"),
                       ("items.csv", 'item_id,title\na,"A \033[31mred\u009b1m\007"\n'
                                     'b,"two\nlines"\n')]:
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    models = os.path.join(folder, "models")
    palate("train", "--data", folder, "--models", models, "--model", "als,knn", *QUICK)
    for question in [["recommend", "--user", "cid", "--explain"], ["similar", "a"],
                     ["similar", "b"], ["recommend", "--history", "b", "--explain"]]:
        status, text = on_terminal(*question, "--models", models, env={"NO_COLOR": "1"})
        same((status, "\033[31m" in text, "\u009b" in text, "\007" in text), (0,) + (False,) * 3)
        same("two\r\nlines" in text, False)


def test_lines_fit(folder):
    """At 60, 80 and 120 columns no line is wider than the terminal, and long titles are cut."""
    data, models = world(folder), os.path.join(folder, "models")
    palate("train", "--data", data, "--models", models, "--model", "als,popular", *QUICK)
    commands = [["recommend", "--user", "1", "--explain", "--models", models],
                ["models", "--models", models], ["stats", "--data", data], ["help", "eval"]]
    for columns in [60, 80, 120]:
        for command in commands:
            status, text = on_terminal(*command, columns=columns, env={"NO_COLOR": "1"})
            same(status, 0)
            for line in screen(text):
                if len(line) > columns and not line.startswith("  palate "):
                    if columns > 60 or command[0] not in ["stats", "models"]:
                        fail(f"{len(line)} of {columns} columns: {line!r}")


def test_interrupt(folder):
    """Ctrl-C: the progress line is erased, one line says what happened, nothing stays behind."""
    models = os.path.join(folder, "models")
    status, text = on_terminal("train", "--data", "synthetic", *WORLD, "--model", "als", "--set",
                               "als.factors=256", "--set", "als.epochs=1000", "--models", models,
                               stop_when=b"als: ")
    same(status, -signal.SIGINT)
    last = [line for line in screen(text) if line][-1]
    if not last.startswith("palate: interrupted"):
        fail(repr(text))
    same([n for n in os.listdir(models) if n != ".lock"], [])


run(globals())
