"""Every palate command in README.md and ARCHITECTURE.md works as it is written.

The lines of a file's ```sh blocks that begin with `palate` or `build/palate` (after an optional
`$ `) are run by a shell, in their order, in one empty folder in which `palate` is the binary and
each data set that is named (`--data NAME`, `import NAME`) is a small invented world. A line that
ends in a backslash goes on in the next.
"""
import os
import re
import subprocess

from harness import PALATE, ROOT, TIMEOUT_S, Skip, clean_environment, fail, run, world

DATA = re.compile(r"(?:--data[ =]|\bimport )([\w./-]+)")


def commands(text):
    """The commands in the text of a Markdown file."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+# .*$", "", line.strip().removeprefix("$ "))
            if re.match(r"(build/)?palate\b", line):
                yield line.removeprefix("build/")


def put_data(folder, command):
    """Makes the data sets that the command reads and that are not there yet."""
    for name in DATA.findall(command):
        path = os.path.join(folder, name)
        if not name.startswith("synthetic") and not name.startswith("-") \
                and not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(world(folder, "made.palate"), path)


def run_all(folder, name):
    path = os.path.join(ROOT, name)
    if not os.path.exists(path):
        raise Skip(f"there is no {name}")
    with open(path, encoding="utf-8") as f:
        found = list(commands(f.read()))
    if not found:
        raise Skip(f"no palate command in {name}")
    bin_folder, work = os.path.join(folder, "bin"), os.path.join(folder, "work")
    os.mkdir(bin_folder)
    os.mkdir(work)
    os.symlink(PALATE, os.path.join(bin_folder, "palate"))
    env = clean_environment(PATH=bin_folder + os.pathsep + os.environ["PATH"])
    for command in found:
        put_data(work, command)
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", command], cwd=work, env=env,
                              capture_output=True, timeout=TIMEOUT_S, check=False,
                              stdin=subprocess.DEVNULL)
        if done.returncode:
            fail(f"{name}: `{command}` ends with {done.returncode}:\n{done.stderr.decode()}")


def test_commands_are_found(folder):
    text = "```sh\n$ palate a \\\n  b   # c\nbuild/palate d\nmake\n```\n```\npalate e\n```\n"
    found = list(commands(text))
    if found != ["palate a    b", "palate d"]:
        fail(str(found))


def test_readme(folder):
    run_all(folder, "README.md")


def test_architecture(folder):
    run_all(folder, "ARCHITECTURE.md")


run(globals())
