"""The calls of Terraform's provider for each kind: create, read, plan without a difference, update, tag, import, destroy.

The provider sends its own account as `meshOwner` with every call that has one, reads the tags after the resource, takes
NotFoundException for "gone" and nothing else, and would update for ever if a spec came back other than it was sent.
"""

import boto3
from botocore import xform_name
from botocore.config import Config

client = boto3.client("appmesh", config=Config(retries={"max_attempts": 0}))
ACCOUNT = "123456789012"
LISTENER = {"portMapping": {"port": 8080, "protocol": "http"}}
DNS = {"dns": {"hostname": "app.local", "responseType": "ENDPOINTS"}}


def http(action):
    return {"httpRoute": {"match": {"prefix": "/"}, "action": action}}


def to_node(weight):
    return http({"weightedTargets": [{"virtualNode": "node", "weight": weight}]})


def to_service(**more):
    return http({"target": {"virtualService": {"virtualServiceName": "app.local"}}, **more})


# In the order of their references: kind, what holds it, name, spec, another spec.
KINDS = [
    ("Mesh", {}, "m", {}, {"egressFilter": {"type": "ALLOW_ALL"}}),
    ("VirtualNode", {}, "node", {"listeners": [LISTENER], "serviceDiscovery": DNS, "backends": []}, {"backends": []}),
    ("VirtualRouter", {}, "router", {"listeners": [LISTENER]}, {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}),
    ("Route", {"virtualRouterName": "router"}, "route", to_node(1), to_node(3)),
    ("VirtualService", {}, "app.local", {}, {"provider": {"virtualRouter": {"virtualRouterName": "router"}}}),
    ("VirtualGateway", {}, "gateway", {"listeners": [LISTENER]}, {"listeners": [{**LISTENER, "connectionPool": {"http": {"maxConnections": 1}}}]}),
    ("GatewayRoute", {"virtualGatewayName": "gateway"}, "route", to_service(), to_service(rewrite={"hostname": {"defaultTargetHostname": "DISABLED"}})),
]


class Resource:
    def __init__(self, kind, above, name):
        self.kind = kind
        self.member = kind[0].lower() + kind[1:]
        self.names = {**above, f"{self.member}Name": name}
        if kind != "Mesh":
            self.names["meshName"] = "m"

    def call(self, verb, **arguments):
        owner = {"meshOwner": ACCOUNT} if self.kind != "Mesh" or verb == "Describe" else {}
        return getattr(client, xform_name(verb + self.kind))(**self.names, **owner, **arguments)[self.member]

    def read(self):
        """The resource and its tags, as a refresh reads them."""
        found = self.call("Describe")
        assert found["status"]["status"] == "ACTIVE", found
        assert found["metadata"]["meshOwner"] == found["metadata"]["resourceOwner"] == ACCOUNT, found
        tags = client.list_tags_for_resource(resourceArn=found["metadata"]["arn"])["tags"]
        return found, {tag["key"]: tag["value"] for tag in tags}

    def gone(self, verb):
        try:
            self.call(verb)
        except client.exceptions.NotFoundException as error:
            return error.response["Error"]["Message"]
        raise AssertionError(f"{verb} {self.kind} {self.names} finds it")


def tag_list(tags):
    return [{"key": key, "value": value} for key, value in tags.items()]


made = []
for kind, above, name, spec, other in KINDS:
    resource = Resource(kind, above, name)
    assert name in resource.gone("Describe")
    tags = {"Name": name, "managed-by": "terraform"}
    created = resource.call("Create", spec=spec, tags=tag_list(tags))
    # Read at once, and again for the plan: no difference.
    for _ in range(2):
        found, found_tags = resource.read()
        assert (found["spec"], found_tags) == (spec, tags), (found, found_tags)
        assert found["metadata"] == created["metadata"], found
    updated = resource.call("Update", spec=other)
    arn = updated["metadata"]["arn"]
    client.untag_resource(resourceArn=arn, tagKeys=["Name"])
    client.tag_resource(resourceArn=arn, tags=tag_list({"stage": "live"}))
    found, found_tags = resource.read()
    assert (found["spec"], found_tags) == (other, {"managed-by": "terraform", "stage": "live"}), (found, found_tags)
    assert found["metadata"]["uid"] == created["metadata"]["uid"], found
    # An update that changes nothing is still accepted.
    assert resource.call("Update", spec=other)["spec"] == other
    made.append(resource)

# A virtual service that refers to a router is destroyed before it, as Terraform's graph has it.
for resource in reversed(made):
    resource.call("Delete")
    resource.gone("Describe")
    resource.gone("Delete")
print(len(made), "kinds")
