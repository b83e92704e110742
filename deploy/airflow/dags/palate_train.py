"""For Airflow. Every night: train on what is in the store, make the new version live if it is not
worse, and tell those who answer. Servers that train by themselves don't need this."""
import datetime
import os

from palate_steps import DEFAULTS, call, dag, palate, servers, task


@dag(schedule=os.environ.get("PALATE_TRAIN_SCHEDULE", "15 3 * * *"),
     start_date=datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc), catchup=False,
     max_active_runs=1, default_args=DEFAULTS, tags=["palate"], doc_md=__doc__)
def palate_train():
    @task
    def train():
        """Judged on the newest tenth; published, and live unless it is worse by more than 5 %."""
        words = ["--split", "time:90/10", "--gate", "0.05", "--keep", "5"]
        if os.environ.get("PALATE_TRAIN_MODELS"):
            words += ["--model", os.environ["PALATE_TRAIN_MODELS"]]
        report = palate("train", *words)
        gate = report["gate"]
        print(f"version {report['version']}: {gate['metric']} = {gate['value']}; {gate['message']}")
        return {"version": report["version"], "live": gate["published"]}

    @task
    def reload(trained):
        """All servers answer from one version after this: the new one, or what was live before."""
        answers = {url: call("POST", url + "/v1/models/reload", {})["version"] for url in servers()}
        print(answers)
        if len(set(answers.values())) > 1:
            raise RuntimeError(f"servers answer from different versions: {answers}")
        if trained["live"] and set(answers.values()) - {trained["version"]}:
            raise RuntimeError(f"version {trained['version']} is live, but servers have {answers}")
        return answers

    reload(train())


palate_train()
