"""For Airflow. Every morning: the best items for each user into a table of PostgreSQL (or a file),
for those who serve lists from a database of their own. The table changes in one step when all lists
are there; a run that was interrupted goes on behind the last user that was written."""
import datetime
import os

from palate_steps import DEFAULTS, dag, palate, task


@dag(schedule=os.environ.get("PALATE_LISTS_SCHEDULE", "15 5 * * *"),
     start_date=datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc), catchup=False,
     max_active_runs=1, default_args=DEFAULTS, tags=["palate"], doc_md=__doc__)
def palate_lists():
    @task
    def export():
        """To PALATE_LISTS: postgres://USER@HOST/DB?table=NAME, or a file (.csv, .jsonl)."""
        count = os.environ.get("PALATE_LISTS_N", "20")
        users = os.environ.get("PALATE_LISTS_FOR", "active")
        report = palate("export", "recommendations", "--count", count, "--for", users,
                        "--output", os.environ["PALATE_LISTS"])
        return {"users": report["users"], "rows": report["rows"]}

    @task
    def check(written):
        """Nobody has a list: then something before this went wrong without saying so."""
        if not written["rows"]:
            raise RuntimeError(f"no lists were written: {written}. Is there a model, and did "
                               "anybody do anything lately (PALATE_LISTS_FOR=all)?")
        print(f"{written['rows']} rows for {written['users']} users")

    check(export())


palate_lists()
