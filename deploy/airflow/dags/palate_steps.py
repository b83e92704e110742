"""What palate's DAGs share: running the command, calling servers, telling somebody when it fails.
(Airflow takes a file for one with DAGs only where the word airflow stands in it; and this for none,
by .airflowignore.)

Told by the environment of Airflow's workers:

    PALATE_COMMAND   how palate is run (palate); e.g. "docker run --rm --env-file FILE palate"
    PALATE_STORE, PALATE_EVENTS, PALATE_MODELS, PALATE_TRACK…   what it works on: its own options
    PALATE_SERVERS   who is told to reload: http://recs-0:8080,http://recs-1:8080
    PALATE_KEY       a key with the right admin, where servers want one
    PALATE_ALERT_URL where a failure is posted as {"text": …} (Slack, Mattermost, Teams, a relay)
    PALATE_RETRIES, PALATE_RETRY_SECONDS   how often a step is tried again (3), and after what
                     pause, which doubles each time (300)
"""
import datetime
import json
import os
import shlex
import subprocess
import urllib.error
import urllib.request

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

__all__ = ["DEFAULTS", "call", "dag", "palate", "servers", "task"]

CALL_SECONDS = 60


def palate(*words):
    """Runs palate, whose progress goes to the step's log; the JSON that it printed."""
    command = [*shlex.split(os.environ.get("PALATE_COMMAND", "palate")), *words, "--json"]
    print("running", shlex.join(command), flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    print(done.stdout, flush=True)
    if done.returncode:
        raise RuntimeError(f"palate {words[0]} ended with {done.returncode}: the log says why")
    return json.loads(done.stdout)


def servers():
    return [url.strip().rstrip("/") for url in os.environ.get("PALATE_SERVERS", "").split(",")
            if url.strip()]


def call(method, url, body=None):
    """Calls a server with the key; the JSON of its answer."""
    headers = {"Content-Type": "application/json"}
    if os.environ.get("PALATE_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["PALATE_KEY"]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as wrong:
        raise RuntimeError(f"{method} {url}: {wrong.code} {wrong.read().decode()[:500]}") from None


def alert(context):
    """Tells that a step has failed for good. What goes wrong here is logged, and no more."""
    instance = context["task_instance"]
    text = (f"palate: {instance.dag_id}.{instance.task_id} failed "
            f"({context.get('run_id')}, try {instance.try_number}): {context.get('exception')}")
    print(text, flush=True)
    url = os.environ.get("PALATE_ALERT_URL")
    if not url:
        return
    request = urllib.request.Request(url, data=json.dumps({"text": text}).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=CALL_SECONDS).close()
    except OSError as wrong:
        print(f"the alert could not be sent: {wrong}", flush=True)


DEFAULTS = {
    "owner": "palate",
    "retries": int(os.environ.get("PALATE_RETRIES", "3")),
    "retry_delay": datetime.timedelta(
        seconds=float(os.environ.get("PALATE_RETRY_SECONDS", "300"))),
    "retry_exponential_backoff": True,
    "max_retry_delay": datetime.timedelta(hours=1),
    "execution_timeout": datetime.timedelta(hours=6),
    "on_failure_callback": alert,
}
