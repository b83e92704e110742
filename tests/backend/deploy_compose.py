"""deploy/compose.yaml with each file of deploy/compose/, loaded by the library that docker compose
is made of: by the published schema, with profiles, dependencies and what the environment gives.
What it says to palate must be what palate understands."""
import json
import os
import re
import subprocess

from deploy_parts import DEPLOY, go_program
from server import fail
from harness import palate, run, same

FILE, FOLDER = os.path.join(DEPLOY, "compose.yaml"), os.path.join(DEPLOY, "compose")
SPLIT = ["collector", "pipeline", "recs"]
SERVICES = {
    "one": ["palate"],
    "watched": ["grafana", "loki", "palate", "prometheus", "promtail"],
    "rabbitmq": [*SPLIT, "postgres", "rabbitmq", "redis"],
    "kafka": [*SPLIT, "clickhouse", "kafka", "minio", "minio-bucket", "mlflow", "postgres"],
    "everything": [*SPLIT, "airflow", "clickhouse", "grafana", "loki", "minio", "minio-bucket",
                   "mlflow", "postgres", "prometheus", "promtail", "rabbitmq", "redis"],
}


def load(name, path=FILE, ok=True):
    """What the file comes to with the environment of that name; or the complaint."""
    program = go_program("compose")
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("PALATE_", "COMPOSE_", "PASSWORD", "PORT"))}
    done = subprocess.run([program, path, os.path.join(FOLDER, name + ".env")], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    if (done.returncode == 0) != ok:
        fail(f"{name}: {done.stderr}{done.stdout[:2000]}")
    return json.loads(done.stdout)["services"] if ok else done.stderr


def everything():
    """(name, service) of all environments."""
    for environment in SERVICES:
        for name, service in load(environment).items():
            yield f"{environment}: {name}", service


def test_environments(_):
    same(sorted(SERVICES), sorted(name[:-4] for name in os.listdir(FOLDER)))
    for name, services in SERVICES.items():
        same((name, sorted(load(name))), (name, sorted(services)))


def test_mistakes_are_seen(folder):
    """The schema is applied: a misspelt key and a part that is not there are refused."""
    with open(FILE, encoding="utf-8") as f:
        text = f.read()
    for old, new in [("stop_grace_period", "stop_grace_perriod"),
                     ("minio: {condition", "minioo: {condition")]:
        same(old in text, True)
        path = os.path.join(folder, "compose.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        same(new.split(":")[0] in load("kafka", path, ok=False), True)


def test_ports_are_of_this_machine(_):
    for name, service in everything():
        for port in service.get("ports", []):
            same((name, port.get("host_ip")), (name, "127.0.0.1"))


def test_mounted_files_are_there(_):
    for name, service in everything():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind" and volume["source"] != "/var/run/docker.sock":
                same((name, os.path.exists(volume["source"])), (name, True))
        build = service.get("build")
        if build:
            path = os.path.join(build["context"], build["dockerfile"])
            same((name, os.path.isfile(path)), (name, True))


def is_palate(service):
    return service.get("image") == "palate"


def test_palate_is_locked_in(_):
    for name, service in everything():
        if is_palate(service):
            same((name, service["read_only"], service["cap_drop"], service["security_opt"]),
                 (name, True, ["ALL"], ["no-new-privileges:true"]))
            same(service["labels"]["org.palate.logs"], "json")  # which promtail.yml looks for


def test_palate_knows_its_options(_):
    """Every flag and PALATE_… is an option of the command, and the roles are roles."""
    known = set(re.findall(r"^ +(?:-\w, +)?--([a-z-]+)", palate("help", "serve").out,
                           re.MULTILINE)) | {"track"}
    for name, service in everything():
        if not is_palate(service):
            continue
        words = service.get("command") or ["serve"]
        same((name, words[0]), (name, "serve"))
        for word in words[1:]:
            if word.startswith("--") and word[2:] not in known:
                fail(f"{name}: palate serve has no {word}")
        for key in service["environment"]:
            option = key.removeprefix("PALATE_").lower().replace("_", "-")
            if key.startswith("PALATE_") and option not in known:
                fail(f"{name}: palate serve has no --{option}, which {key} stands for")


def hosts(text):
    """The hosts of the URLs in a value."""
    return re.findall(r"(?:://|=http://)(?:[^/@\s]*@)?([a-z][\w-]*)(?=[:/?]|$)", text or "")


def test_urls_lead_to_services(_):
    """Each URL's host is a service of the same environment, and its passwords are that one's."""
    for environment in SERVICES:
        services = load(environment)
        for name, service in services.items():
            for key, value in (service.get("environment") or {}).items():
                for host in hosts(value):
                    if key != "PALATE_MODELS" or host != "palate":  # a bucket
                        same((environment, name, key, host in services),
                             (environment, name, key, True))
                for user, password in re.findall(r"://(\w+):([\w-]+)@", value or ""):
                    same((user, password in ("palate", "palate-palate")), ("palate", True))


run(globals())
