"""The Python blocks of clients/python/README.md run as they are written, in their order; the
package installs from its folder with pip; its types are complete where there is a mypy to say so.
"""
import os
import re
import shutil
import subprocess
import sys

from numpied import Csr, ROOT, Skip, np, tastes
from harness import fail, run, same
from server import Site

PACKAGE = os.path.join(ROOT, "clients", "python")


class Sliced(Csr):
    """A matrix whose rows can be taken, as SciPy's."""

    def __init__(self, dense):
        super().__init__(dense)
        self.dense = dense

    def __getitem__(self, rows):
        return Sliced(np.atleast_2d(self.dense[rows]))


def blocks():
    with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
        return re.findall(r"^```python\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)


def test_examples(folder):
    known = {"user_items": Sliced(tastes())}
    found = blocks()
    same(len(found), 3)
    saved = os.path.join(folder, "als.palate")
    with Site(folder) as site:
        for number, text in enumerate(found):
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{site.port}")
            text = text.replace('"als.palate"', repr(saved))
            exec(compile(text, f"README.md, block {number}", "exec"), known)
    same(os.path.exists(saved), True)
    same(known["all_scores"].shape, (5, 120))


def test_install(folder):
    """With what is here: no network is asked."""
    try:
        import setuptools  # noqa: F401  pylint: disable=unused-import
        import pip  # noqa: F401  pylint: disable=unused-import
    except ImportError:
        raise Skip("no setuptools and pip for this python here") from None
    source = os.path.join(folder, "source")
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("build", "__pycache__"))
    target = os.path.join(folder, "target")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
                           "--no-build-isolation", "--target", target, source],
                          capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        fail(done.stderr[-3000:])
    program = ("import numpy, palate, palate.implicit, palate.library; "
               "print(palate.__file__, palate.library.version())")
    env = {**os.environ, "PYTHONPATH": target}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=env, timeout=60,
                          capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.startswith(target):
        fail(done.stdout + done.stderr)
    same(os.path.exists(os.path.join(target, "palate", "py.typed")), True)


def test_types(folder):
    mypy = shutil.which("mypy")
    if not mypy:
        raise Skip("no mypy here")
    done = subprocess.run([mypy, "--cache-dir", folder], cwd=PACKAGE, capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode:
        fail(done.stdout + done.stderr)


def test_version_is_one(_folder):
    import palate
    import palate.library
    with open(os.path.join(PACKAGE, "pyproject.toml"), encoding="utf-8") as file:
        told = re.search(r'^version = "(.*)"$', file.read(), re.MULTILINE).group(1)
    same((palate.__version__, palate.library.version()), (told, told))


run(globals())
