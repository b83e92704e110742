"""A server that speaks the calls of MLflow's REST API that palate makes, keeps what it is told, and
fails in the ways that a server can fail."""
import http.server
import json
import threading
import urllib.parse


class Server:
    """fault(method, path) may return for each call None, a status, "hang", "hangup", or "mute": it
    is done, but not answered."""

    def __init__(self, port=0, state=None, artifacts="mlflow-artifacts:"):
        self.experiments, self.runs, self.files = ({}, {}, {}) if state is None else state
        self.artifacts = artifacts
        self.calls, self.headers, self.fault = [], [], None
        self.lock, self.over = threading.Lock(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                outer.handle(self)

            do_GET = do_POST = do_PUT = answer

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"mlflow:http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever,
                                       kwargs={"poll_interval": .02})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.over.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    @property
    def state(self):
        """For a server that comes up again."""
        return self.experiments, self.runs, self.files

    def handle(self, request):
        size = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(size)
        path = request.path.removeprefix("/api/2.0/")
        with self.lock:
            self.calls.append((request.command, path))
            self.headers.append(dict(request.headers))
            fault = self.fault(request.command, path) if self.fault else None
        if fault == "hang":
            self.over.wait()
        if fault == "mute":
            with self.lock:
                self.do(request.command, path, body)
        if fault in ("hang", "hangup", "mute"):
            request.close_connection = True
            return
        if fault:
            status, answer = fault, {"error_code": "WRONG", "message": "as it was told to"}
        else:
            with self.lock:
                status, answer = self.do(request.command, path, body)
        text = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def do(self, method, path, body):
        path, _, query = path.partition("?")
        if method == "PUT" and path.startswith("mlflow-artifacts/artifacts/"):
            name = urllib.parse.unquote(path.removeprefix("mlflow-artifacts/artifacts/"))
            self.files[name] = body
            return 200, {}
        said = json.loads(body) if body else {}
        call = path.removeprefix("mlflow/").replace("-", "_").replace("/", "_")
        return getattr(self, call)(said, dict(urllib.parse.parse_qsl(query)))

    def experiments_get_by_name(self, _, query):
        number = self.experiments.get(query["experiment_name"])
        if number is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
        return 200, {"experiment": {"experiment_id": number}}

    def experiments_create(self, said, _):
        if said["name"] in self.experiments:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there is one"}
        self.experiments[said["name"]] = str(len(self.experiments) + 1)
        return 200, {"experiment_id": self.experiments[said["name"]]}

    def runs_create(self, said, _):
        number = f"run{len(self.runs)}"
        tags = {tag["key"]: tag["value"] for tag in said["tags"]}
        self.runs[number] = {"id": number, "name": said["run_name"], "status": "RUNNING",
                             "began": said["start_time"], "experiment": said["experiment_id"],
                             "tags": tags, "params": {}, "metrics": []}
        return 200, {"run": {"info": self.info(self.runs[number])}}

    def runs_search(self, said, _):
        key, wanted = said["filter"].removeprefix("tags.`").split("` = ")
        found = [run for run in self.runs.values() if run["experiment"] in said["experiment_ids"]
                 and run["tags"].get(key) == wanted.strip("'")]
        return 200, {"runs": [{"info": self.info(run)} for run in found[:said["max_results"]]]}

    def info(self, run):
        place = f"{self.artifacts}/{run['experiment']}/{run['id']}/artifacts"
        return {"run_id": run["id"], "artifact_uri": place}

    def runs_log_batch(self, said, _):
        run = self.runs.get(said["run_id"])
        if run is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}
        params, metrics = said.get("params", []), said.get("metrics", [])
        assert len(params) <= 100 and len(metrics) <= 1000 and len(said.get("tags", [])) <= 100
        for pair in params:
            assert run["params"].get(pair["key"], pair["value"]) == pair["value"]
            run["params"][pair["key"]] = pair["value"]
        for pair in said.get("tags", []):
            run["tags"][pair["key"]] = pair["value"]
        for metric in metrics:
            assert "@" not in metric["key"] and isinstance(metric["timestamp"], int)
            run["metrics"].append((metric["key"], metric["value"], metric["step"]))
        return 200, {}

    def runs_update(self, said, _):
        self.runs[said["run_id"]].update(status=said["status"], ended=said["end_time"])
        return 200, {}

    def run(self, name):
        """The one run of that name."""
        found = [run for run in self.runs.values() if run["name"] == name]
        assert len(found) == 1, (name, [run["name"] for run in self.runs.values()])
        return found[0]
