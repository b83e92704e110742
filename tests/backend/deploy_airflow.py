"""deploy/airflow: the DAGs in a real Airflow (`airflow dags test`, its database in SQLite): a
training goes live in a running server, lists reach a table of PostgreSQL, a step that fails is
tried again and then somebody is told."""
import contextlib
import http.server
import json
import os
import sqlite3
import subprocess
import threading

from deploy_parts import DEPLOY, from_pypi
from postgres import Postgres
from running import Site
from server import fail, free_port
from harness import PALATE, clean_environment, palate, run, same, world

PACKAGES = ["apache-airflow==2.10.5"]
COMMAND_S = 240


class Airflow:
    """An Airflow in a folder of its own, without any process of its own: one command at a time."""

    def __init__(self, folder, **settings):
        self.programs = from_pypi("airflow", *PACKAGES)
        self.folder = os.path.join(folder, "airflow")
        self.env = clean_environment(
            AIRFLOW_HOME=self.folder, AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__CORE__DAGS_FOLDER=os.path.join(DEPLOY, "airflow", "dags"),
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{self.folder}/airflow.db",
            PYTHONDONTWRITEBYTECODE="1", PALATE_COMMAND=PALATE, PALATE_TRACK="none", **settings)
        self.run("db", "migrate")

    def run(self, *words, ok=True, **settings):
        done = subprocess.run([os.path.join(self.programs, "airflow"), *words],
                              cwd=self.env["HOME"], env={**self.env, **settings},
                              capture_output=True, text=True, timeout=COMMAND_S, check=False)
        if ok is not None and (done.returncode == 0) != ok:
            fail(f"airflow {' '.join(words)} ended with {done.returncode}: "
                 f"{(done.stdout + done.stderr)[-4000:]}")

    def states(self, dag):
        """{task: (state, tries)} of the latest run, out of Airflow's database."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.folder, "airflow.db"))) as db:
            rows = db.execute("select task_id, state, try_number from task_instance where run_id ="
                              " (select run_id from dag_run where dag_id = ? order by id desc"
                              " limit 1) and dag_id = ?", (dag, dag)).fetchall()
        return {task: (state, tries) for task, state, tries in rows}


class Hook:
    """What takes alerts: keeps their texts."""

    def __init__(self):
        texts = self.texts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_dags(folder):
    models = f"{folder}/models"
    with Hook() as hook, Postgres() as postgres, \
            Site(folder, "--store", postgres.url(), "--journal", f"{folder}/journal",
                 "--models", models) as site:
        palate("import", world(folder), "--store", postgres.url("?schema=other"))
        airflow = Airflow(folder, PALATE_STORE=postgres.url("?schema=other"), PALATE_MODELS=models,
                          PALATE_JOURNAL=f"{folder}/none", PALATE_TRAIN_MODELS="popular",
                          PALATE_LISTS=postgres.url("?table=recommendations"), PALATE_LISTS_N="7",
                          PALATE_LISTS_FOR="all", PALATE_ALERT_URL=hook.url, PALATE_RETRIES="1",
                          PALATE_SERVERS=f"http://127.0.0.1:{site.port}",
                          PALATE_RETRY_SECONDS="0.1")
        same(site.get("/v1/status")["model"]["version"], 0)
        airflow.run("dags", "test", "palate_train", "2026-01-01")
        same(site.get("/v1/status")["model"]["version"], 1)
        same(airflow.states("palate_train"), {"train": ("success", 1), "reload": ("success", 1)})

        airflow.run("dags", "test", "palate_lists", "2026-01-01")
        same(airflow.states("palate_lists"), {"export": ("success", 1), "check": ("success", 1)})
        same(postgres.ask("select count(*), count(distinct user_id), max(rank)"
                          " from recommendations"), "2100|300|7")
        same(hook.texts, [])

        gone = f"http://127.0.0.1:{free_port()}"
        airflow.run("dags", "test", "palate_train", "2026-01-02", ok=None, PALATE_SERVERS=gone)
        same(airflow.states("palate_train"), {"train": ("success", 1), "reload": ("failed", 2)})
        same(len(hook.texts), 1)
        for word in ["palate_train.reload failed", "Connection refused"]:
            same((word, word in hook.texts[0]), (word, True))


run(globals())
