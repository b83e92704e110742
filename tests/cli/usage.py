"""Words, help, where options come from, and what happens to the streams."""
import json
import os
import shutil
import subprocess

from harness import (PALATE, Skip, clean_environment, fail, palate, refuses, run, same)

COMMANDS = ["demo", "import", "export", "backup", "restore", "stats", "train", "eval",
            "recommend", "similar", "serve", "simulate", "models", "version", "help"]


def test_overview_lists_all_commands(folder):
    out = palate("help").out
    for name in COMMANDS:
        if f"\n  {name} " not in out:
            fail(f"{name} is not in {out}")
    same(palate("--help").out, out)


def test_no_command_is_bad_usage(folder):
    ended = palate(status=2)
    same(ended.out, "")
    if "Usage: palate COMMAND" not in ended.err:
        fail(str(ended))


def test_each_command_has_help(folder):
    for name in COMMANDS:
        out = palate("help", name).out
        if f"Usage: palate {name}" not in out:
            fail(out)
        if name != "models":  # which also lists the models that can be trained
            same(palate(name, "--help").out, out)
            same(palate(name, "-h").out, out)


def test_help_has_no_long_lines(folder):
    topics = ["metrics", "splits", "weights", "formats", "filter", "config", "server"]
    for name in COMMANDS + topics:
        for line in palate("help", name).out.splitlines():
            if len(line) > 100:
                fail(f"help {name}: {line}")


def test_help_on_models(folder):
    out = palate("help", "als").out
    for word in ["factors", "epochs", "similar items"]:
        if word not in out:
            fail(f"'{word}' is not in {out}")
    refuses(2, "help", "alss", says="did you mean palate help als?")


def test_unknown_words(folder):
    refuses(2, "recomend", says="did you mean 'recommend'?")
    refuses(2, "frobnicate", says="see palate help")
    refuses(2, "eval", "--bootstap", "3", says="did you mean --bootstrap?")
    refuses(2, "eval", "-x", says="no option -x")
    refuses(2, "eval", "--activate", "3", says="takes no option --activate")
    refuses(2, "similar", "a", "b", says="one word too many")
    refuses(2, "eval", "--seed", says="wants a value")
    refuses(2, "eval", "--seed", "x", says=["seed = 'x'", "whole number"])
    refuses(2, "eval", "--seed=-1", says="seed = '-1'")
    refuses(2, "eval", "--part", "middle", says="test|valid")
    refuses(2, "eval", "--no-seed", says="no option --no-seed")
    refuses(2, "eval", "--no-json=1", says="no option --no-json")
    refuses(2, "recommend", "--user", "1", "-n", "0", says="count = '0'")


def test_an_option_of_a_model(folder):
    refuses(2, "train", "--data", "synthetic", "--set", "als.factors=0",
            says="palate: als: factors = '0' is not allowed")


def test_forms_of_options(folder):
    refuses(2, "recommend", "-n0", "--user", "1", says="count = '0'")
    refuses(2, "recommend", "--count=0", "--user", "1", says="count = '0'")
    refuses(2, "similar", "--", "-n", "x", says="'x' is one word too many")
    same(palate("version", "-qj").out, palate("version", "--json").out)
    same(palate("version", "--json", "--no-json").out, palate("version").out)
    same(palate("version", "--json=false").out, palate("version").out)


def test_version(folder):
    told = palate("version", "--json").json
    same(sorted(told), ["blas", "blas_core", "compiler", "cores", "kernels", "kernels_here",
                        "optimized", "version"])
    same(palate("version", "--json", "--kernels", "plain").json["kernels"], "plain")
    text = palate("--version").out
    same(text, palate("version").out)
    if not text.startswith(f"palate {told['version']}\n"):
        fail(text)


def test_environment_and_config(folder):
    """A flag goes before the environment, the environment before the file."""
    ini = os.path.join(folder, "palate.ini")
    with open(ini, "w") as f:
        f.write("json = true\n[version]\nkernels = plain\n[stats]\nkernels = nonsense\n")
    same(palate("version", cwd=folder).json["kernels"], "plain")
    best = palate("version", cwd=folder, env={"PALATE_KERNELS": "auto"}).json["kernels"]
    same(palate("version", "--json").json["kernels"], best)
    env = {"PALATE_KERNELS": "auto"}
    same(palate("version", "--kernels=plain", cwd=folder, env=env).json["kernels"], "plain")
    other = os.path.join(folder, "other.ini")
    with open(other, "w") as f:
        f.write("[palate]\nkernels = plain\n")
    out = palate("version", "--config", other, cwd=folder).out
    if "kernels   plain" not in out:
        fail(out)
    same(palate("version", cwd=folder, env={"PALATE_CONFIG": other}).out, out)


def test_config_beside_a_folder_of_data(folder):
    """data = NAME in the file is found in the folder $PALATE_DATA; a data set there goes first."""
    for name, users in ("a.csv", "ann"), ("b.csv", "ann bob"):
        with open(os.path.join(folder, name), "w") as f:
            f.write("user,item\n" + "".join(f"{user},x\n" for user in users.split()))
    ini = os.path.join(folder, "x.ini")
    with open(ini, "w") as f:
        f.write("data = a.csv\n")
    def users(data, *args):
        return palate("stats", "--config", ini, "--json", *args, env={"PALATE_DATA": data}
                      ).json["users"]
    same(users(folder), 1)
    same(users(folder, "--data", "b.csv"), 2)
    same(users(os.path.join(folder, "b.csv")), 2)


def test_bad_config(folder):
    def with_text(text, says):
        path = os.path.join(folder, "x.ini")
        with open(path, "w") as f:
            f.write(text)
        refuses(2, "eval", "--config", path, says=says)
    with_text("\nsede = 3\n", ["x.ini:2", "no option 'sede'"])
    with_text("seed = many\n", ["x.ini:1", "seed = 'many'"])
    with_text("[nothing]\nseed = 1\n", ["x.ini:2", "[nothing] is neither"])
    with_text("[als]\nfactor = 1\n", ["x.ini:2", "no option 'factor'"])
    with_text("[als]\nfactors = one\n", ["x.ini:2: [als]: factors = 'one'"])
    with_text("seed = 1\n[broken\n", "x.ini:2")
    refuses(1, "eval", "--config", os.path.join(folder, "none.ini"), says="No such file")
    refuses(1, "eval", "--config", folder, says="can't read the config file")
    refuses(2, "eval", env={"PALATE_SEED": "x"}, says="PALATE_SEED: seed = 'x'")


def test_streams(folder):
    """A full device is a failure; a reader who goes away is not; a closed stream is noticed."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PALATE, "help"], stdout=full, stderr=subprocess.PIPE, check=False)
    same(done.returncode, 1)
    same(done.stderr.decode(), "palate: can't write to standard output: No space left on device\n")
    script = '"$1" help models | head -1 >/dev/null; echo "${PIPESTATUS[0]}"; "$1" version >&-; ' \
             'echo "$?"'
    done = subprocess.run(["bash", "-c", script, "-", PALATE], capture_output=True, check=False,
                          env=clean_environment())
    same(done.stdout.decode(), "0\n1\n")
    same(done.stderr.decode().count("\n"), 1)


def test_man_page(folder):
    page = palate("help", "--man").out
    if not page.isascii() or not page.startswith(".TH PALATE 1"):
        fail(page[:300])
    for name in COMMANDS:
        if f".SS palate {name}" not in page:
            fail(f"{name} is not in the man page")
    if not shutil.which("groff"):
        raise Skip("no groff to check the man page with")
    done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=page.encode(),
                          capture_output=True, check=False)
    same(done.stderr.decode(), "")
    same(done.returncode, 0)


def test_plain_where_nothing_else_is_there(folder):
    """No escape codes in a pipe, and none but ASCII in the words of help."""
    for args in [["help"], ["help", "eval"], ["help", "models"], ["help", "splits"]]:
        out = palate(*args, env={"LC_ALL": "C"}).out
        if "\033" in out:
            fail(repr(out))
    if not palate("help", "eval").out.isascii():
        fail("help eval is not ASCII")


run(globals())
