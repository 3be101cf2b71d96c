"""boto3 against a control plane with keys: `boto3_keys.py URL ID SECRET`."""

import datetime
import sys

import boto3
import botocore.auth
from botocore.config import Config
from botocore.exceptions import ClientError

URL, ID, SECRET = sys.argv[1:]
REAL_NOW = botocore.auth.get_current_datetime


def client(service="appmesh", key=ID, secret=SECRET, token=None):
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name="us-west-2",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )


def refused(call, code, status=403):
    try:
        call()
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), f"{got}, expected {(code, status)}: {error}"
        return error.response["Error"]["Message"]
    raise AssertionError(f"expected {code}")


def skewed(minutes):
    botocore.auth.get_current_datetime = lambda *args, **kwargs: REAL_NOW(*args, **kwargs) + datetime.timedelta(minutes=minutes)


good = client()
good.create_mesh(meshName="m", tags=[{"key": "k e y", "value": "v/ä+&="}])
for name in ["a/b%2Fc d", "ü.local", "x" * 200]:
    good.create_virtual_service(meshName="m", virtualServiceName=name, spec={})
    shown = good.describe_virtual_service(meshName="m", virtualServiceName=name)
    assert shown["virtualService"]["virtualServiceName"] == name, shown
pages = good.get_paginator("list_virtual_services").paginate(meshName="m", PaginationConfig={"PageSize": 1})
assert len([item for page in pages for item in page["virtualServices"]]) == 3
arn = good.describe_mesh(meshName="m")["mesh"]["metadata"]["arn"]
assert good.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "k e y", "value": "v/ä+&="}]

registry = client("servicediscovery")
assert registry.list_namespaces()["Namespaces"] == []
refused(lambda: client("servicediscovery", secret="wrong").list_namespaces(), "InvalidSignatureException")

refused(lambda: client(secret="wrong").list_meshes(), "InvalidSignatureException")
refused(lambda: client(key="AKIANOBODY").list_meshes(), "UnrecognizedClientException")
refused(lambda: client(token="session").list_meshes(), "UnrecognizedClientException")

for minutes, word in [(-16, "expired"), (16, "not yet current")]:
    skewed(minutes)
    message = refused(lambda: client().list_meshes(), "InvalidSignatureException")
    assert word in message, message
for minutes in (-14, 14):
    skewed(minutes)
    client().list_meshes()
botocore.auth.get_current_datetime = REAL_NOW
