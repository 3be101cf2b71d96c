"""Creates, describes, updates, lists and deletes with boto3; prints how many calls that was and how long they took.

Only what both servers have: moto knows no virtual services and no gateways.
"""

import json
import sys
import time

import boto3
from botocore.config import Config

client = boto3.client(
    "appmesh",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="not-a-secret",
    config=Config(retries={"max_attempts": 0}),
)
mesh = sys.argv[2]
calls = 0


def call(name, **arguments):
    global calls
    calls += 1
    return getattr(client, name)(meshName=mesh, **arguments)


def node(port):
    listener = {"portMapping": {"port": port, "protocol": "http"}}
    return {"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": "app.local"}}, "backends": []}


def route(target, weight):
    target = {"virtualNode": target, "weight": weight}
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}}


ROUNDS = 25
call("create_mesh")
calls = 0
began = time.perf_counter()
for number in range(ROUNDS):
    name = f"n{number}"
    here = {"virtualRouterName": name}
    call("create_virtual_node", virtualNodeName=name, spec=node(80))
    call("describe_virtual_node", virtualNodeName=name)
    call("update_virtual_node", virtualNodeName=name, spec=node(81))
    call("create_virtual_router", **here, spec={"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]})
    call("describe_virtual_router", **here)
    call("create_route", **here, routeName=name, spec=route(name, 1))
    call("describe_route", **here, routeName=name)
    call("update_route", **here, routeName=name, spec=route(name, 2))
    call("list_virtual_nodes")
    call("list_routes", **here)
for number in range(ROUNDS):
    name = f"n{number}"
    call("delete_route", virtualRouterName=name, routeName=name)
    call("delete_virtual_router", virtualRouterName=name)
    call("delete_virtual_node", virtualNodeName=name)
took = {"calls": calls, "seconds": time.perf_counter() - began}
call("delete_mesh")
print(json.dumps(took))
