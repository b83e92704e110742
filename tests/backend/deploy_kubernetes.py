"""deploy/kubernetes, as kustomize builds it: valid by the schemas that Kubernetes publishes,
without rights, whole (what refers to something finds it), and true of palate: its options, its
probes, the metric by which it is scaled."""
import json
import os
import re
import shutil
import subprocess

from deploy_parts import DEPLOY, INSTALL_S, from_pypi
from running import Site
from server import Skip, fail
from harness import PALATE, palate, run, same

FOLDER = os.path.join(DEPLOY, "kubernetes")
BUILDS = ["one", "overlays/small", "overlays/large", "base"]
VERSION = "1.32"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.0"
PACKAGES = ["kubernetes-validate==1.37.0"]
# Reads YAML documents, validates each strictly, prints them as one JSON array.
CHECK = """
import json, sys, yaml, kubernetes_validate
found = list(yaml.safe_load_all(sys.stdin))
for x in found if sys.argv[1] else []:
    try:
        kubernetes_validate.validate(x, sys.argv[1], strict=True)
    except kubernetes_validate.ValidationError as wrong:
        sys.exit(f"{x['kind']} {x['metadata']['name']}: {wrong.message} at {list(wrong.path)}")
print(json.dumps(found))
"""
SECRETS = {"palate-urls", "palate-keys"}  # which README.md says how to make
memo = {}


def from_yaml(text, version="", ok=True):
    python = os.path.join(from_pypi("kubernetes-validate", *PACKAGES), "python")
    done = subprocess.run([python, "-c", CHECK, version], input=text, capture_output=True,
                          text=True, timeout=120, check=False)
    if (done.returncode == 0) != ok:
        fail(done.stderr[-3000:] or done.stdout[-3000:])
    return json.loads(done.stdout) if ok else done.stderr


def kustomize():
    """The words that build: of kubectl, kustomize, or one from the Go module proxy."""
    place = os.path.join(os.path.dirname(PALATE), "test-kustomize")
    program = shutil.which("kustomize") or os.path.join(place, "kustomize")
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    if not os.path.exists(program):
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if not go:
            raise Skip("no kustomize here")
        try:
            subprocess.run([go, "install", "-p", "2", KUSTOMIZE], check=True, timeout=INSTALL_S,
                           capture_output=True, env={**os.environ, "GOBIN": place,
                                                     "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"})
        except subprocess.SubprocessError:
            raise Skip("no kustomize: it can't be had from the Go module proxy here") from None
    return [program, "build"]


def kustomized(name):
    command = kustomize()
    done = subprocess.run([*command, os.path.join(FOLDER, name)], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode:
        fail(f"{name}: {done.stderr}")
    return done.stdout


def objects(name, kinds=()):
    """The objects of a build, validated; of these kinds."""
    if name not in memo:
        memo[name] = from_yaml(kustomized(name), VERSION)
    return [x for x in memo[name] if not kinds or x["kind"] in kinds]


def pods(name):
    """(object, template) of everything that starts pods."""
    for x in objects(name, ["Deployment", "StatefulSet"]):
        yield x, x["spec"]["template"]
    for x in objects(name, ["CronJob"]):
        yield x, x["spec"]["jobTemplate"]["spec"]["template"]


def test_schemas(_):
    for name in BUILDS:
        same((name, len(objects(name)) >= 3), (name, True))
    text = kustomized("overlays/small")
    for old, new in [("replicas: 1", "replicas: many"), ("httpGet:", "httpGett:")]:
        same(old in text, True)
        from_yaml(text.replace(old, new), VERSION, ok=False)  # the schemas see mistakes


def test_kinds(_):
    """What a site in split roles needs is there."""
    found = sorted((x["kind"], x["metadata"]["name"]) for x in objects("base"))
    same(found, sorted([
        ("ConfigMap", "palate-options"), ("CronJob", "train"), ("Deployment", "pipeline"),
        ("Deployment", "recs"), ("HorizontalPodAutoscaler", "collector"),
        ("HorizontalPodAutoscaler", "recs"), ("Namespace", "palate"), ("NetworkPolicy", "palate"),
        ("PodDisruptionBudget", "collector"), ("PodDisruptionBudget", "recs"),
        ("Service", "collector"), ("Service", "collectors"), ("Service", "pipeline"),
        ("Service", "recs"), ("ServiceAccount", "palate"), ("StatefulSet", "collector")]))


def test_what_is_referred_to_is_there(_):
    for name in BUILDS:
        known = {(x["kind"], x["metadata"]["name"]) for x in objects(name)}
        labels = [t["metadata"]["labels"] for _, t in pods(name)]
        for x in objects(name):
            spec = x.get("spec") or {}
            selector = spec.get("selector") or spec.get("podSelector") or {}
            selector = selector.get("matchLabels", selector)
            if selector and not any(selector.items() <= have.items() for have in labels):
                fail(f"{x['kind']} {x['metadata']['name']} selects no pod")
            if "scaleTargetRef" in spec:
                target = spec["scaleTargetRef"]
                same((target["kind"], target["name"]) in known, True)
            if x["kind"] == "StatefulSet":
                same(("Service", spec["serviceName"]) in known, True)
        for x, template in pods(name):
            check_references(x, template, known)


def check_references(x, template, known):
    spec = template["spec"]
    volumes = {v["name"] for v in spec.get("volumes", [])}
    volumes |= {c["metadata"]["name"] for c in x["spec"].get("volumeClaimTemplates", [])}
    account = spec.get("serviceAccountName")
    same(account is None or ("ServiceAccount", account) in known, True)
    for container in spec["containers"]:
        for mount in container["volumeMounts"]:
            same((mount["name"], mount["name"] in volumes), (mount["name"], True))
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                same(("ConfigMap", source["configMapRef"]["name"]) in known, True)
            else:
                same(source["secretRef"]["name"] in SECRETS, True)
    for volume in spec.get("volumes", []):
        same(volume.get("secret", {}).get("secretName", "palate-keys") in SECRETS, True)


def test_no_rights_and_no_secrets(_):
    for name in BUILDS:
        same(objects(name, ["Secret"]), [])
        for _, template in pods(name):
            spec, [container] = template["spec"], template["spec"]["containers"]
            same((spec["automountServiceAccountToken"], spec["securityContext"]["runAsNonRoot"],
                  spec["securityContext"]["seccompProfile"]), (False, True,
                                                               {"type": "RuntimeDefault"}))
            same(container["securityContext"], {"allowPrivilegeEscalation": False,
                                                "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}})
            same(set(container["resources"]), {"requests", "limits"})
            same("memory" in container["resources"]["limits"], True)


def test_journals_outlive_pods(_):
    """What takes events in keeps its journal on a disk that is claimed."""
    for name in BUILDS:
        for x, template in pods(name):
            [container] = template["spec"]["containers"]
            args = container["args"]
            if args[0] == "serve" and ("--role" not in args or "collector" in args):
                same((name, x["kind"]), (name, "StatefulSet"))
                [claim] = x["spec"]["volumeClaimTemplates"]
                same({"name": claim["metadata"]["name"], "mountPath": "/var/lib/palate"}
                     in container["volumeMounts"], True)


def options_of(command):
    return set(re.findall(r"^ +(?:-\w, +)?--([a-z-]+)", palate("help", command).out, re.MULTILINE))


def test_palate_knows_its_options(_):
    for name in BUILDS:
        for x, template in pods(name):
            args = template["spec"]["containers"][0]["args"]
            known = options_of(args[0])
            for word in args[1:]:
                if word.startswith("--"):
                    same((x["metadata"]["name"], word, word[2:] in known),
                         (x["metadata"]["name"], word, True))
        for x in objects(name, ["ConfigMap"]):
            for key in x["data"]:
                option = key.removeprefix("PALATE_").lower().replace("_", "-")
                same((key, option in options_of("serve")), (key, True))


def test_training_runs(folder):
    """The CronJob's words train, from a store with events."""
    [job] = objects("overlays/small", ["CronJob"])
    args = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
    same(args[args.index("--memory") + 1], "1500M")  # which the overlay puts by its place
    palate("import", "--synthetic", "--set", "synth.users=100", "--set", "synth.items=50",
           "--set", "synth.events=2000", "--store", "sqlite:palate.db", cwd=folder)
    report = palate(*args, cwd=folder, env={"PALATE_STORE": "sqlite:palate.db"}).json
    same((report["version"], report["gate"]["published"]), (1, True))


def test_probes_and_metric(folder):
    """Probes ask what each role answers; pods are scaled by a metric that it has."""
    with open(os.path.join(FOLDER, "prometheus-adapter.yaml"), encoding="utf-8") as f:
        [rule] = from_yaml(f.read())[0]["rules"]["custom"]
    for x in objects("base", ["HorizontalPodAutoscaler"]):
        scaled = {m["pods"]["metric"]["name"] for m in x["spec"]["metrics"] if m["type"] == "Pods"}
        series = rule["seriesQuery"].split("{")[0]
        name = re.sub(rule["name"]["matches"], rule["name"]["as"].replace("${1}", r"\1"), series)
        same(scaled, {name})
    for at, (_, template) in enumerate(pods("base")):
        [container] = template["spec"]["containers"]
        if container["args"][0] != "serve":
            continue
        home = os.path.join(folder, str(at))
        os.mkdir(home)
        palate("import", "--synthetic", "--store", "sqlite:palate.db", cwd=home)
        with Site(home, *container["args"][1:]) as site:
            site.raw("GET", "/v1/status")
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                path = container[probe]["httpGet"]["path"]
                same((path, site.raw("GET", path).status), (path, 200))
            metrics = site.raw("GET", "/metrics").body.decode()
            same(f"\n{series}{{" in metrics, True)


run(globals())
