"""boto3's part: takes the steps of a JSON file, one after the other, and prints a line of JSON about each.

The first line says which operations and errors the service model has, and the errors' statuses.
"""

import json
import sys
from datetime import datetime

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

# The endpoint comes from the environment, as a user's would.
client = boto3.client("appmesh", config=Config(retries={"max_attempts": 0}))
model = client.meta.service_model


def say(line):
    print(json.dumps(line, default=lambda value: value.timestamp() if isinstance(value, datetime) else str(value)))


def error_class(refusal):
    """The name of the error's own class, found among those that the client has."""
    for shape in model.error_shapes:
        if type(refusal) is getattr(client.exceptions, shape.name):
            return shape.name
    return f"no class of the client: {refusal!r}"


def take(step):
    name = xform_name(step["call"])
    if "pages" in step:
        paging = {"PageSize": step["pages"]}
        return {"pages": list(client.get_paginator(name).paginate(**step["input"], PaginationConfig=paging))}
    return {"output": getattr(client, name)(**step["input"])}


statuses = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}
say({"operations": list(model.operation_names), "errors": statuses})
for step in json.load(open(sys.argv[1])):
    try:
        say(take(step))
    except ClientError as refusal:
        status = refusal.response["ResponseMetadata"]["HTTPStatusCode"]
        say({"refused": error_class(refusal), "status": status, "message": refusal.response["Error"]["Message"]})
    except Exception as error:  # noqa: BLE001: whatever it is, the test says it with the step.
        say({"broken": repr(error)})
