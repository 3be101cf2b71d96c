"""A gRPC program that finds its servers by xDS: gRPC's C core is the whole client, this only makes calls.

One JSON object a line on standard input, one a line on standard output:

  {"backend": "blue"}                 starts a server that answers with its name: {"port": 1}
  {"call": 20}                        {"answers": {"blue": 20}}; failed calls count under their status code
  {"until": "blue", "seconds": 60}    calls until that is the answer: {"before": {"green": 3}}; null when it did not come
"""

import collections
import concurrent.futures
import json
import sys
import time

import grpc

METHOD = "/test.Who/AmI"


class Who(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name.encode()

    def service(self, details):
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.name)


servers = []


def backend(name):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[Who(name)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers.append(server)
    return port


channel = grpc.insecure_channel("xds:///mesh.test")
who = channel.unary_unary(METHOD)


def call():
    try:
        return who(b"", timeout=10).decode()
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def until(name, seconds):
    before, end = collections.Counter(), time.monotonic() + seconds
    while (answer := call()) != name:
        before[answer] += 1
        if time.monotonic() > end:
            print(f"before the time was up: {dict(before)}", file=sys.stderr)
            return None
    return before


for line in sys.stdin:
    command = json.loads(line)
    if "backend" in command:
        answer = {"port": backend(command["backend"])}
    elif "call" in command:
        answer = {"answers": collections.Counter(call() for _ in range(command["call"]))}
    elif "until" in command:
        answer = {"before": until(command["until"], command["seconds"])}
    print(json.dumps(answer), flush=True)
