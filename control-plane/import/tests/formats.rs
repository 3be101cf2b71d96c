//! One mesh in every format comes out the same.

mod fixture;

use ferromesh_import::{read, Imported, Options, Severity, Source};
use fixture::{clean, file, options, resources};

#[test]
fn a_template_of_cdk_manifests_and_terraform_are_the_same_mesh() {
    let dump = clean(&["shop.json"], &Options::default());
    let template = clean(
        &["shop-cdk.template.json"],
        &options(&[("AWS::AccountId", "123456789012")], &[]),
    );
    let handmade = clean(
        &["shop.template.yaml"],
        &options(&[("Stage", "prod"), ("AWS::AccountId", "123456789012")], &[]),
    );
    let configuration = clean(
        &["shop.tf"],
        &options(&[], &[("aws_acm_certificate.web.arn", fixture::CERTIFICATE)]),
    );
    let state = clean(&["shop.tfstate"], &Options::default());
    let expected = resources(&dump, true);
    assert_eq!(expected.len(), 10);
    assert_eq!(resources(&template, true), expected, "CDK");
    assert_eq!(resources(&handmade, true), expected, "short forms");
    assert_eq!(resources(&configuration, true), expected, "Terraform configuration");
    assert_eq!(resources(&state, true), expected, "Terraform state");
    // The custom resource definitions have no tags.
    let manifests = read(&[file("shop.k8s.yaml")], &Options::default());
    assert_eq!(resources(&manifests, false), resources(&dump, false), "Kubernetes");
    assert_eq!(errors(&manifests), Vec::<String>::new());
}

#[test]
fn everything_that_cannot_be_resolved_is_named_with_its_place() {
    let imported = read(&[file("broken.template.yaml")], &Options::default());
    let found: Vec<String> = imported.findings.iter().map(ToString::to_string).collect();
    for expected in [
        "broken.template.yaml:8: error: Node: Resources.Node.Properties.Spec.Listeners[0].PortMapping.Port.Ref: \
         parameter Port has no default: give it with --parameter Port=…",
        "error: Node: Resources.Node.Properties.Spec.Listeners[0].TLS.Certificate.ACM.CertificateArn.Ref: what AWS calls \
         Certificate (AWS::CertificateManager::Certificate) is not in the template: give it with --parameter Certificate=…",
        "error: Node: Resources.Node.Properties.Spec.Backends[0].VirtualService.VirtualServiceName.Fn::ImportValue: \
         another stack exports shop-service",
        "error: Node: Resources.Node.Properties.Spec.Logging.AccessLog.File.Pth: FileAccessLog has no such member",
        "error: Node: Resources.Node.Properties.Colour: VirtualNode has no such property",
        "error: Service: Resources.Service.Properties.Spec.Provider.VirtualNode.VirtualNodeName.Fn::GetAtt: there is no resource \
         Missing",
        "error: Service: Resources.Service.Properties.VirtualServiceName.Fn::Sub: AWS::Region is not known here",
        "note: Resources: resources of other types are left aside: AWS::CertificateManager::Certificate (1)",
        "warning: Route: Resources.Route.Properties: it has no RouteName",
        "error: Circle: Resources.Circle.Properties.MeshName.Ref: references lead in a circle",
    ] {
        assert!(found.iter().any(|line| line.contains(expected)), "{expected}\nnot in {found:#?}");
    }
    assert!(imported.has_errors());
}

fn errors(imported: &Imported) -> Vec<String> {
    let errors = imported
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}

#[test]
fn kubernetes_names_and_memberships_are_the_controllers() {
    let text = r"
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: one}
spec: {namespaceSelector: {matchLabels: {mesh: one}}, meshOwner: '123456789012'}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: two}
spec: {awsName: second, namespaceSelector: {matchExpressions: [{key: mesh, operator: In, values: [two]}]}}
---
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {mesh: one}}
---
apiVersion: v1
kind: List
items:
- apiVersion: appmesh.k8s.aws/v1beta2
  kind: VirtualNode
  metadata: {name: n, namespace: a}
  spec:
    podSelector: {matchLabels: {app: n}}
    listeners: [{portMapping: {port: 80, protocol: http}}]
    serviceDiscovery: {dns: {hostname: n.a}}
    backends: [{virtualService: {virtualServiceRef: {name: s, namespace: b}}}]
    backendGroups: [{name: g}]
- apiVersion: appmesh.k8s.aws/v1beta2
  kind: BackendGroup
  metadata: {name: g, namespace: a}
  spec: {virtualservices: [{name: s, namespace: b}, {name: t}]}
- apiVersion: appmesh.k8s.aws/v1beta2
  kind: VirtualService
  metadata: {name: s, namespace: b}
  spec: {awsName: s.example, provider: {virtualNode: {virtualNodeARN: 'arn:aws:appmesh:eu-west-1:1:mesh/second/virtualNode/x'}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: d}
";
    let mut options = Options::default();
    options
        .namespace_labels
        .insert("b".into(), [("mesh".to_owned(), "two".to_owned())].into());
    let imported = read(&[Source::new("k.yaml", text)], &options);
    let found: Vec<String> = imported.findings.iter().map(ToString::to_string).collect();
    assert_eq!(errors(&imported), Vec::<String>::new());
    for expected in [
        "Deployment (1)",
        "VirtualNode a/n: items[0].spec.podSelector: it is not carried over",
        "default name t.a",
    ] {
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{expected} not in {found:#?}"
        );
    }
    let inputs: Vec<_> = imported
        .resources
        .iter()
        .map(ferromesh_import::Resource::create_input)
        .collect();
    let service = |name: &str| serde_json::json!({"virtualService": {"virtualServiceName": name}});
    let expected = serde_json::json!([
        {"meshName": "one", "spec": {}},
        {"meshName": "second", "spec": {}},
        {"meshName": "one", "meshOwner": "123456789012", "virtualNodeName": "n_a", "spec": {
            "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": "n.a"}},
            "backends": [service("s.example"), service("t.a")],
        }},
        {"meshName": "second", "virtualServiceName": "s.example", "spec": {
            "provider": {"virtualNode": {"virtualNodeName": "x"}}}},
    ]);
    assert_eq!(serde_json::Value::Array(inputs), expected);
}

#[test]
fn a_namespace_of_two_meshes_or_none_is_an_error() {
    let node = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {name: n, namespace: a}\nspec: {}\n";
    let mesh = |name: &str| {
        format!("---\napiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {{name: {name}}}\nspec: {{namespaceSelector: {{}}}}\n")
    };
    for (text, expected) in [
        (node.to_owned(), "there is no Mesh"),
        (
            format!("{node}{}{}", mesh("x"), mesh("y")),
            "exactly one Mesh, they are by 2",
        ),
    ] {
        let imported = read(&[Source::new("k.yaml", text)], &Options::default());
        assert!(
            errors(&imported).iter().any(|line| line.contains(expected)),
            "{:?}",
            imported.findings
        );
    }
}

#[test]
fn terraform_is_evaluated_as_far_as_it_stands_alone() {
    let text = r#"
variable "meshes" { default = { a = "shop" } }
variable "nodes"  { default = ["x", "y"] }
locals { ports = [for n in var.nodes : 8080] }
resource "aws_appmesh_mesh" "m" {
  for_each = var.meshes
  name     = "${each.value}-${each.key}"
  lifecycle { prevent_destroy = true }
}
resource "aws_appmesh_virtual_node" "n" {
  count     = length(var.nodes)
  name      = format("%s-node", var.nodes[count.index])
  mesh_name = aws_appmesh_mesh.m["a"].id
  spec {
    dynamic "listener" {
      for_each = local.ports
      iterator = port
      content {
        port_mapping {
          port     = port.value
          protocol = "http"
        }
      }
    }
    service_discovery {
      dns { hostname = data.aws_region.current.name }
    }
  }
}
module "other" { source = "./other" }
"#;
    let imported = read(&[Source::new("main.tf", text)], &Options::default());
    let found: Vec<String> = imported.findings.iter().map(ToString::to_string).collect();
    assert!(
        found.iter().any(|line| line.contains(
            "main.tf:10: error: aws_appmesh_virtual_node.n[1]: \
        spec.service_discovery.dns.hostname: data.aws_region.current.name is not known here: give it with --var \
        data.aws_region.current.name=…"
        )),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.contains("main.tf:30: warning: module other is not followed")),
        "{found:#?}"
    );
    let options = options(
        &[],
        &[("data.aws_region.current.name", "eu-west-1"), ("nodes", "[\"z\"]")],
    );
    let imported = read(&[Source::new("main.tf", text)], &options);
    assert_eq!(errors(&imported), Vec::<String>::new());
    let node = &imported.resources[1];
    assert_eq!(node.key.resource_part(), "mesh/shop-a/virtualNode/z-node");
    assert_eq!(node.spec["listeners"].as_array().map(Vec::len), Some(1));
    assert_eq!(node.spec["serviceDiscovery"]["dns"]["hostname"], "eu-west-1");
}
