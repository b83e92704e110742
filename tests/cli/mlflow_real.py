"""A real MLflow server from PyPI for the tests, and what its own client finds there."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from harness import PALATE, Skip, fail

TOOLS = os.path.join(os.path.dirname(PALATE), "test-mlflow")
PACKAGES = ["mlflow==3.17.2"]
INSTALL_S, START_S = 900, 120

# Prints what the client finds as one JSON object: runs by name, of equal names the latest.
CLIENT = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name(sys.argv[2])
found = {}
for run in client.search_runs([experiment.experiment_id], max_results=1000):
    names = [file.path for file in client.list_artifacts(run.info.run_id)]
    texts = {}
    for name in names:
        with open(client.download_artifacts(run.info.run_id, name), encoding="utf-8") as f:
            texts[name] = f.read()
    history = {key: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)]
               for key in run.data.metrics}
    if run.info.run_name in found and found[run.info.run_name]["begun"] > run.info.start_time:
        continue
    found[run.info.run_name] = {"begun": run.info.start_time, "id": run.info.run_id,
        "status": run.info.status, "params": run.data.params,
        "tags": run.data.tags, "history": history, "artifacts": texts,
        "over": run.info.end_time is not None}
print(json.dumps(found))
"""


def python():
    """The interpreter that has MLflow: $PALATE_TEST_MLFLOW, or from PyPI once per build folder."""
    given = os.environ.get("PALATE_TEST_MLFLOW")
    path = given or os.path.join(TOOLS, "bin", "python")
    if os.path.exists(os.path.join(os.path.dirname(path), "mlflow")):
        return path
    try:
        for command in [[sys.executable, "-m", "venv", TOOLS],
                        [path, "-m", "pip", "install", "-q", *PACKAGES]]:
            subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(TOOLS, ignore_errors=True)
        raise Skip("no mlflow: it can't be had from PyPI here") from None
    return path


class Mlflow:
    """A server on a port of its own, with everything in one folder."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.python = python()
        self.log = os.path.join(folder, "mlflow.log")
        self.place = os.path.join(folder, "mlflow")
        os.makedirs(self.place)
        self.start()

    def start(self, warm=True):
        command = [self.python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port",
                   str(self.port), "--backend-store-uri", "sqlite:///mlflow.db",
                   "--artifacts-destination", "./artifacts", "--workers", "1"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.place, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > START_S:
                self.stop()
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    fail("mlflow does not start: " + log.read()[-2000:])
            time.sleep(.2)
        if warm:
            self.warm_up()

    def warm_up(self):
        """The first calls take it seconds, since it loads most of itself only then."""
        call = "import mlflow, sys; mlflow.set_tracking_uri(sys.argv[1]); " \
               "mlflow.set_experiment('warm'); mlflow.start_run(); mlflow.log_param('a', 1); " \
               "mlflow.log_text('x', 'x.txt'); mlflow.end_run(); mlflow.search_runs()"
        subprocess.run([self.python, "-c", call, self.url], check=True, timeout=START_S,
                       capture_output=True, cwd=self.place)

    def answers(self):
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def runs(self, experiment="palate"):
        done = subprocess.run([self.python, "-c", CLIENT, self.url, experiment], check=False,
                              capture_output=True, timeout=120, cwd=self.place)
        if done.returncode:
            fail(done.stderr.decode()[-2000:])
        return json.loads(done.stdout.splitlines()[-1])
