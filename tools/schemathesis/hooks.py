"""Lets random requests name photos, jobs and pictures that exist, so that they reach what lies behind the first check.

If BARET_RECORD names a file, each request is also written there, as one line of JSON for replay.mjs.
"""

import base64
import json
import os
import random
import re

import schemathesis

PHOTO = os.environ["BARET_PHOTO"]
JOBS = os.environ["BARET_JOBS"].split(",")
RECORD = os.environ.get("BARET_RECORD")
record = open(RECORD, "a", encoding="utf-8") if RECORD else None  # noqa: SIM115 - open until the program ends
chance = random.Random(0)


def is_blob(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_name(value):
    return isinstance(value, str) and 1 <= len(value) <= 200


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "id" in path_parameters and chance.random() < 0.5:
        is_picture = "/pictures/" in context.operation.path
        path_parameters["id"] = PHOTO if is_picture else chance.choice(JOBS)
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    # A job that nobody runs does not end.
    if query and isinstance(query.get("wait"), int) and query["wait"] > 1:
        query["wait"] = query["wait"] % 2 if query["wait"] <= 60 else query["wait"]
    return query


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and is_blob(body.get("photo")) and chance.random() < 0.8:
        body["photo"] = PHOTO
        # Most random names of models and methods are refused at once. Names that break the schema stay: they must be refused.
        for name in ("model", "method", "preset"):
            if is_name(body.get(name)) and chance.random() < 0.7:
                del body[name]
        methods = body.get("methods")
        if isinstance(methods, list) and 1 <= len(methods) <= 50 and all(map(is_name, methods)):
            del body["methods"]
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    # A form that is accepted waits for an edit, which nobody makes.
    if isinstance(case.body, dict) and case.operation.path == "/v1/images/edits":
        for name in ("image", "image[]"):
            if name in case.body:
                case.body[name] = b"no picture"


@schemathesis.hook
def after_call(context, case, response):
    if record is None:
        return
    request = response.request
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes):
        return
    line = {
        "operation": f"{case.operation.method.upper()} {case.operation.path}",
        "method": request.method,
        "path": request.path_url,
        "headers": {name: str(value) for name, value in request.headers.items()},
        "body": base64.b64encode(body).decode("ascii"),
        "status": response.status_code,
    }
    record.write(json.dumps(line) + "\n")
    record.flush()
