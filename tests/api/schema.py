"""schemathesis drives every call of the OpenAPI document: what fits it is answered as it promises,
what does not fit is refused, and nothing makes the server fail."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Site  # noqa: E402
from harness import PALATE, Skip, fail, run  # noqa: E402

TOOLS = os.path.join(os.path.dirname(PALATE), "test-tools")
PACKAGES = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"]
LIMIT_S = 240
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance",
          "negative_data_rejection", "unsupported_method", "allow_header_conformance"]


def tool(name):
    """The path of a program of PACKAGES: $PALATE_TEST_TOOLS, or from PyPI once per build folder."""
    folder = os.environ.get("PALATE_TEST_TOOLS", os.path.join(TOOLS, "bin"))
    path = os.path.join(folder, name)
    if os.path.exists(path):
        return path
    try:
        for command in [[sys.executable, "-m", "venv", TOOLS],
                        [os.path.join(TOOLS, "bin", "python"), "-m", "pip", "install", "-q",
                         *PACKAGES]]:
            subprocess.run(command, check=True, timeout=300, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(TOOLS, ignore_errors=True)
        raise Skip("no schemathesis: it can't be had from PyPI here") from None
    return os.path.join(TOOLS, "bin", name)


def test_document_is_valid(folder):
    python = os.path.join(os.path.dirname(tool("schemathesis")), "python")
    with Site(folder) as site:
        document = site.raw("GET", "/openapi.json").body
    program = ("import json, sys; from openapi_spec_validator import validate; "
               "validate(json.load(sys.stdin))")
    done = subprocess.run([python, "-c", program], input=document, capture_output=True,
                          timeout=LIMIT_S, check=False)
    if done.returncode:
        fail(done.stderr.decode()[-4000:])


def test_every_call(folder):
    schemathesis = tool("schemathesis")
    # With room for the longest parameters that the document allows, percent-encoded.
    with Site(folder, "--allow-cleanup", "--set", "http.url_bytes_most=131072",
              "--set", "http.header_bytes_most=262144") as site:
        site.post("/v1/items", [{"item_id": f"i{i}", "title": f"Film {i}",
                                 "categories": ["Comedy"]} for i in range(20)])
        site.post("/v1/events", [{"user_id": f"u{i}", "item_id": f"i{i % 20}"}
                                 for i in range(40)])
        url = f"http://127.0.0.1:{site.port}"
        with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as config:
            config.write("[checks]\nnegative_data_rejection.expected-statuses = "
                         "[400, 401, 403, 404, 405, 409, 413, 414, 415]\n")
        done = subprocess.run(
            [schemathesis, "run", url + "/openapi.json", "--checks", ",".join(CHECKS),
             "--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--seed", "1",
             "--max-failures", "20", "--exclude-operation-id", "train", "--generation-database",
             "none"],
            cwd=folder, capture_output=True, timeout=LIMIT_S, check=False)
        if done.returncode:
            lines = (line[:300] for line in done.stdout.decode().splitlines())
            fail("\n".join(lines) + done.stderr.decode()[-2000:])
        site.get("/health/ready")


run(globals())
