"""Walks the whole of Cloud Map's API with boto3 and says how many operations that was."""

import sys

import boto3
from botocore.config import Config

client = boto3.client(
    "servicediscovery",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    # The endpoint is an address: nothing can stand before it.
    config=Config(inject_host_prefix=False, retries={"max_attempts": 1}),
)
called = set()
client.meta.events.register("before-call.servicediscovery", lambda model, **_: called.add(model.name))


def refused(error, call, **arguments):
    """What an operation that must be refused was told."""
    try:
        answer = call(**arguments)
    except error as refusal:
        assert refusal.response["Error"]["Message"], refusal.response
        return refusal.response
    raise AssertionError(f"{call.__name__} {arguments} was accepted: {answer}")


def target(operation, kind):
    """The id that an operation was about, once it has succeeded."""
    found = client.get_operation(OperationId=operation["OperationId"])["Operation"]
    assert found["Status"] == "SUCCESS", found
    assert found["Id"] == operation["OperationId"], found
    return found["Targets"][kind]


errors = client.exceptions

# Namespaces of all three kinds.
create = {"Name": "apps", "CreatorRequestId": "one", "Tags": [{"Key": "team", "Value": "blue"}]}
made = client.create_http_namespace(**create)
apps = target(made, "NAMESPACE")
assert client.create_http_namespace(**create)["OperationId"] == made["OperationId"]
taken = refused(errors.NamespaceAlreadyExists, client.create_http_namespace, Name="apps")
assert (taken["NamespaceId"], taken["CreatorRequestId"]) == (apps, "one"), taken
private = target(
    client.create_private_dns_namespace(
        Name="apps.local", Vpc="vpc-1", Properties={"DnsProperties": {"SOA": {"TTL": 60}}}
    ),
    "NAMESPACE",
)
public = target(client.create_public_dns_namespace(Name="apps.example.com"), "NAMESPACE")
refused(errors.InvalidInput, client.create_public_dns_namespace, Name="nodots.")

pages = client.get_paginator("list_namespaces").paginate(PaginationConfig={"PageSize": 2})
listed = [namespace for page in pages for namespace in page["Namespaces"]]
assert [namespace["Name"] for namespace in listed] == ["apps", "apps.example.com", "apps.local"], listed
assert [namespace["Type"] for namespace in listed] == ["HTTP", "DNS_PUBLIC", "DNS_PRIVATE"], listed
of_type = [{"Name": "TYPE", "Values": ["DNS_PRIVATE"], "Condition": "EQ"}]
assert [found["Id"] for found in client.list_namespaces(Filters=of_type)["Namespaces"]] == [private]

target(client.update_http_namespace(Id=apps, Namespace={"Description": "tasks"}), "NAMESPACE")
target(client.update_private_dns_namespace(Id=private, Namespace={"Description": "inside"}), "NAMESPACE")
soa = {"DnsProperties": {"SOA": {"TTL": 30}}}
target(client.update_public_dns_namespace(Id=public, Namespace={"Properties": soa}), "NAMESPACE")
found = client.get_namespace(Id=apps)["Namespace"]
assert (found["Description"], found["ServiceCount"], found["CreatorRequestId"]) == ("tasks", 0, "one"), found
assert found["Properties"]["HttpProperties"]["HttpName"] == "apps", found
assert client.get_namespace(Id=found["Arn"])["Namespace"] == found
assert client.get_namespace(Id=public)["Namespace"]["Properties"]["DnsProperties"]["SOA"]["TTL"] == 30
refused(errors.NamespaceNotFound, client.get_namespace, Id="ns-0000000000000000")

# Services.
create = {"Name": "colour", "NamespaceId": apps, "CreatorRequestId": "two", "HealthCheckCustomConfig": {"FailureThreshold": 1}}
colour = client.create_service(**create)["Service"]
assert client.create_service(**create)["Service"]["Id"] == colour["Id"]
assert (colour["Type"], colour["NamespaceId"], colour["InstanceCount"]) == ("HTTP", apps, 0), colour
assert colour["HealthCheckCustomConfig"]["FailureThreshold"] == 1, colour
taken = refused(errors.ServiceAlreadyExists, client.create_service, Name="colour", NamespaceId=apps)
assert taken["ServiceId"] == colour["Id"], taken
refused(errors.NamespaceNotFound, client.create_service, Name="colour", NamespaceId="ns-0000000000000000")
refused(errors.InvalidInput, client.create_service, Name="two words", NamespaceId=apps)
records = {"DnsRecords": [{"Type": "A", "TTL": 60}], "RoutingPolicy": "MULTIVALUE"}
by_name = client.create_service(Name="colour", NamespaceId=private, DnsConfig=records)["Service"]
assert (by_name["Type"], by_name["DnsConfig"]) == ("DNS_HTTP", records), by_name
in_apps = [{"Name": "NAMESPACE_ID", "Values": [apps], "Condition": "EQ"}]
assert [found["Id"] for found in client.list_services(Filters=in_apps)["Services"]] == [colour["Id"]]
changed = {"Description": "by name", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 10}]}}
target(client.update_service(Id=by_name["Id"], Service=changed), "SERVICE")
found = client.get_service(Id=by_name["Id"])["Service"]
assert (found["Description"], found["DnsConfig"]["DnsRecords"][0]["TTL"]) == ("by name", 10), found
refused(errors.ServiceNotFound, client.get_service, Id="srv-0000000000000000")
client.update_service_attributes(ServiceId=colour["Id"], Attributes={"owner": "blue", "port": "1"})
client.delete_service_attributes(ServiceId=colour["Id"], Attributes=["port"])
assert client.get_service_attributes(ServiceId=colour["Id"])["ServiceAttributes"]["Attributes"] == {"owner": "blue"}

# Tags of both.
client.tag_resource(ResourceARN=colour["Arn"], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
client.untag_resource(ResourceARN=colour["Arn"], TagKeys=["a"])
assert client.list_tags_for_resource(ResourceARN=colour["Arn"])["Tags"] == [{"Key": "b", "Value": "2"}]
arn = client.get_namespace(Id=apps)["Namespace"]["Arn"]
assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "blue"}]
many = [{"Key": str(number), "Value": ""} for number in range(51)]
refused(errors.TooManyTagsException, client.tag_resource, ResourceARN=arn, Tags=many)
refused(errors.ResourceNotFoundException, client.list_tags_for_resource, ResourceARN=arn + "x")

# Instances.
def attributes(number, stage):
    return {"AWS_INSTANCE_IPV4": f"10.0.0.{number}", "AWS_INSTANCE_PORT": "8080", "stage": stage}


for number, stage in [(1, "blue"), (2, "blue"), (3, "green")]:
    registered = client.register_instance(
        ServiceId=colour["Id"], InstanceId=f"task/{number}", Attributes=attributes(number, stage)
    )
    assert target(registered, "INSTANCE") == f"task/{number}"
wrong = {"AWS_INSTANCE_IPV4": "::1"}
refused(errors.InvalidInput, client.register_instance, ServiceId=colour["Id"], InstanceId="x", Attributes=wrong)
refused(errors.InvalidInput, client.register_instance, ServiceId=by_name["Id"], InstanceId="x", Attributes={})
refused(errors.ServiceNotFound, client.register_instance, ServiceId="srv-0", InstanceId="x", Attributes={})
found = client.get_instance(ServiceId=colour["Id"], InstanceId="task/1")["Instance"]
assert (found["Id"], found["Attributes"]) == ("task/1", attributes(1, "blue")), found
refused(errors.InstanceNotFound, client.get_instance, ServiceId=colour["Id"], InstanceId="x")
pages = client.get_paginator("list_instances").paginate(ServiceId=colour["Id"], PaginationConfig={"PageSize": 1})
assert [found["Id"] for page in pages for found in page["Instances"]] == ["task/1", "task/2", "task/3"]
assert client.get_service(Id=colour["Id"])["Service"]["InstanceCount"] == 3

# Health and discovery.
def discovered(**more):
    answer = client.discover_instances(NamespaceName="apps", ServiceName="colour", **more)
    return [(found["InstanceId"], found["HealthStatus"]) for found in answer["Instances"]]


client.update_instance_custom_health_status(ServiceId=colour["Id"], InstanceId="task/2", Status="UNHEALTHY")
status = client.get_instances_health_status(ServiceId=colour["Id"])["Status"]
assert status == {"task/1": "HEALTHY", "task/2": "UNHEALTHY", "task/3": "HEALTHY"}, status
status = client.get_instances_health_status(ServiceId=colour["Id"], Instances=["task/2"])["Status"]
assert status == {"task/2": "UNHEALTHY"}, status
assert discovered(HealthStatus="HEALTHY", QueryParameters={"stage": "blue"}) == [("task/1", "HEALTHY")]
assert discovered(QueryParameters={"stage": "blue"}) == [("task/1", "HEALTHY"), ("task/2", "UNHEALTHY")]
refused(errors.NamespaceNotFound, client.discover_instances, NamespaceName="no", ServiceName="colour")
client.register_instance(ServiceId=by_name["Id"], InstanceId="x", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.9"})
refused(
    errors.CustomHealthNotFound,
    client.update_instance_custom_health_status,
    ServiceId=by_name["Id"],
    InstanceId="x",
    Status="HEALTHY",
)
assert client.get_instances_health_status(ServiceId=by_name["Id"])["Status"] == {"x": "UNKNOWN"}


def revision():
    answer = client.discover_instances_revision(NamespaceName="apps", ServiceName="colour")
    return answer["InstancesRevision"]


before = revision()
target(client.deregister_instance(ServiceId=colour["Id"], InstanceId="task/2"), "INSTANCE")
assert revision() == before + 1
refused(errors.InstanceNotFound, client.deregister_instance, ServiceId=colour["Id"], InstanceId="task/2")
of_service = [
    {"Name": "SERVICE_ID", "Values": [colour["Id"]], "Condition": "EQ"},
    {"Name": "TYPE", "Values": ["REGISTER_INSTANCE", "DEREGISTER_INSTANCE"], "Condition": "IN"},
    {"Name": "STATUS", "Values": ["SUCCESS"], "Condition": "EQ"},
]
assert len(client.list_operations(Filters=of_service)["Operations"]) == 4
refused(errors.OperationNotFound, client.get_operation, OperationId="x")

# What is in use stays, what is not goes.
refused(errors.ResourceInUse, client.delete_service, Id=colour["Id"])
refused(errors.ResourceInUse, client.delete_namespace, Id=apps)
for service, instances in [(colour, ["task/1", "task/3"]), (by_name, ["x"])]:
    for instance in instances:
        client.deregister_instance(ServiceId=service["Id"], InstanceId=instance)
    client.delete_service(Id=service["Id"])
for namespace in [apps, private, public]:
    assert target(client.delete_namespace(Id=namespace), "NAMESPACE") == namespace
assert client.list_namespaces()["Namespaces"] == []

left = set(client.meta.service_model.operation_names) - called
assert not left, f"not called: {sorted(left)}"
print(f"{len(called)} operations")
