"""Sends random requests against the OpenAPI document of a running server, and fails at any answer that breaks it.

    pip install schemathesis
    baret serve --port 17878 --no-work --no-open --data /tmp/attacked --max-queued 1000000
    python tools/schemathesis/run.py http://127.0.0.1:17878 --examples 1000

Counts answers by status from the server's own /metrics. No answer of 5xx but 503 is allowed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

here = Path(__file__).parent
dog = here.parent.parent / "examples" / "dog.png"


def ask(url, data=None, kind="application/json"):
    headers = {"Content-Type": kind} if data is not None else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return answer.read()


def counts(server):
    lines = re.findall(r'baret_http_requests_total\{.*status="(\d+)"\} (\d+)', ask(f"{server}/metrics").decode())
    total = {}
    for status, count in lines:
        total[status] = total.get(status, 0) + int(count)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--examples", type=int, default=100, help="random requests of each kind for each endpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", help="file to which every request is added, for replay.mjs")
    given = parser.parse_args()
    server = given.server.rstrip("/")

    photo = json.loads(ask(f"{server}/api/v1/photos", dog.read_bytes(), "image/png"))["id"]
    jobs = []
    for k in range(3):
        body = {"kind": "edit", "photo": photo, "target": f"schemathesis {given.seed} {k}"}
        job = json.loads(ask(f"{server}/api/v1/jobs", json.dumps(body).encode()))["id"]
        # Its events end.
        ask(f"{server}/api/v1/jobs/{job}/cancel", b"{}")
        jobs.append(job)

    before = counts(server)
    # Checks that do not fit: any client may ask anonymously, a picture never goes away, and a schema cannot say which models,
    # photos and options there are.
    command = [
        *("schemathesis", "--config-file", str(here / "schemathesis.toml"), "run", f"{server}/openapi.json"),
        *("--checks", "all", "--exclude-checks", "ignored_auth,use_after_free,positive_data_acceptance"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all"),
        *("--max-examples", str(given.examples), "--seed", str(given.seed)),
        *("--workers", "1", "--request-timeout", "20", "--continue-on-failure", "--no-color"),
    ]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(here),
        "SCHEMATHESIS_HOOKS": "hooks",
        "BARET_PHOTO": photo,
        "BARET_JOBS": ",".join(jobs),
        **({"BARET_RECORD": os.path.abspath(given.record)} if given.record else {}),
    }
    # Schemathesis keeps what it found in the working folder.
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(command, env=environment, cwd=folder, check=False).returncode
    after = counts(server)
    answered = {status: count - before.get(status, 0) for status, count in sorted(after.items())}
    print(f"{sum(answered.values())} requests. Answers by status: {answered}")
    faults = {status: count for status, count in answered.items() if status >= "500" and status != "503" and count > 0}
    if faults:
        print(f"answers of the server's own fault: {faults}")
    return ended or bool(faults)


if __name__ == "__main__":
    sys.exit(main())
