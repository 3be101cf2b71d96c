//! The operations of the seven kinds, and of tags, each called by its own builder.

use aws_sdk_appmesh::types::{ResourceMetadata, TagRef};
use aws_sdk_appmesh::{Client, Error};
use serde_json::{json, Value};

use crate::mirror::Mirror;

/// The clients: one of the server, one of the mirror.
pub struct Clients {
    pub server: Client,
    pub mirrored: Client,
    pub mirror: Mirror,
}

/// One call of the table.
pub struct Step<'a> {
    pub call: &'a str,
    pub input: &'a Value,
    /// Items to a page, through the paginator.
    pub pages: Option<i32>,
}

impl Step<'_> {
    fn text(&self, member: &str) -> Option<String> {
        self.input[member].as_str().map(str::to_owned)
    }

    fn number(&self, member: &str) -> Option<i32> {
        self.input[member].as_i64().and_then(|number| number.try_into().ok())
    }

    fn tags(&self) -> Option<Vec<TagRef>> {
        let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
        let tag = |tag: &Value| {
            TagRef::builder()
                .key(text(tag, "key"))
                .value(text(tag, "value"))
                .build()
        };
        Some(
            self.input["tags"]
                .as_array()?
                .iter()
                .map(|found| tag(found).expect("key and value"))
                .collect(),
        )
    }
}

fn metadata(metadata: &ResourceMetadata) -> Value {
    json!({
        "arn": metadata.arn(),
        "version": metadata.version(),
        "uid": metadata.uid(),
        "meshOwner": metadata.mesh_owner(),
        "resourceOwner": metadata.resource_owner(),
        "createdAt": metadata.created_at().as_secs_f64(),
        "lastUpdatedAt": metadata.last_updated_at().as_secs_f64(),
    })
}

/// The five operations of one kind: `own` is its name's member, `above` are those of what holds it; the brackets of
/// `owner` say which calls take a `meshOwner`.
macro_rules! kind {
    (
        $item:ident $wrapper:literal, $items:ident $collection:literal,
        $create:ident $describe:ident $update:ident $delete:ident $list:ident,
        own: $own_member:literal $set_own:ident $own:ident,
        above: [$($member:literal $set:ident $get:ident),*],
        owner: changing [$($changing:ident)?] describing [$($describing:ident)?] listing [$($listing:ident)?],
        status: $code:expr
    ) => {
        pub async fn $item(clients: &Clients, verb: &str, step: &Step<'_>) -> Result<Value, Error> {
            let Clients { server, mirrored, mirror } = clients;
            let text = |member: &str| step.text(member);
            let any = || Some("any".to_owned());
            if verb == "List" {
                let asked = server.$list()$(.$set(text($member)))*$(.$listing(text("meshOwner")))?;
                let pages = match step.pages {
                    None => {
                        let asked = asked.set_limit(step.number("limit")).set_next_token(text("nextToken"));
                        vec![asked.send().await?.$items]
                    }
                    Some(size) => {
                        let mut pages = Vec::new();
                        let mut stream = asked.into_paginator().page_size(size).send();
                        while let Some(page) = stream.next().await {
                            pages.push(page?.$items);
                        }
                        pages
                    }
                };
                let shown = pages.iter().map(|page| {
                    let items = page.iter().map(|found| {
                        json!({
                            $own_member: found.$own(),
                            $($member: found.$get(),)*
                            "arn": found.arn(),
                            "version": found.version(),
                            "meshOwner": found.mesh_owner(),
                            "resourceOwner": found.resource_owner(),
                            "createdAt": found.created_at().as_secs_f64(),
                            "lastUpdatedAt": found.last_updated_at().as_secs_f64(),
                        })
                    });
                    json!({ $collection: items.collect::<Vec<_>>() })
                });
                return Ok(shown.collect());
            }
            let spec = match &step.input["spec"] {
                Value::Null => None,
                spec => {
                    mirror.answer(spec);
                    let read = mirrored.$describe().$set_own(any())$(.$set(any()))*.send().await?;
                    read.$item.and_then(|read| read.spec)
                }
            };
            let name = text($own_member);
            let got = match verb {
                "Create" => {
                    let asked = server.$create().$set_own(name)$(.$set(text($member)))*$(.$changing(text("meshOwner")))?;
                    asked.set_spec(spec).set_tags(step.tags()).send().await?.$item
                }
                "Update" => {
                    let asked = server.$update().$set_own(name)$(.$set(text($member)))*$(.$changing(text("meshOwner")))?;
                    asked.set_spec(spec).send().await?.$item
                }
                "Describe" => {
                    let asked = server.$describe().$set_own(name)$(.$set(text($member)))*$(.$describing(text("meshOwner")))?;
                    asked.send().await?.$item
                }
                "Delete" => {
                    let asked = server.$delete().$set_own(name)$(.$set(text($member)))*$(.$changing(text("meshOwner")))?;
                    asked.send().await?.$item
                }
                other => panic!("no such call: {other}"),
            };
            let got = got.expect("the answer has the resource");
            mirror.answer(&Value::Null);
            let write = mirrored.$update().$set_own(any())$(.$set(any()))*;
            write.set_spec(got.spec.clone()).send().await?;
            let written = mirror.request().expect("an update has a body");
            Ok(json!({ $wrapper: {
                $own_member: got.$own(),
                $($member: got.$get(),)*
                "spec": written["spec"],
                "metadata": got.metadata().map(metadata),
                "status": {"status": got.status().and_then($code).map(|code| code.as_str().to_owned())},
            } }))
        }
    };
}

kind! {
    mesh "mesh", meshes "meshes",
    create_mesh describe_mesh update_mesh delete_mesh list_meshes,
    own: "meshName" set_mesh_name mesh_name,
    above: [],
    owner: changing [] describing [set_mesh_owner] listing [],
    status: |status| status.status()
}
kind! {
    virtual_node "virtualNode", virtual_nodes "virtualNodes",
    create_virtual_node describe_virtual_node update_virtual_node delete_virtual_node list_virtual_nodes,
    own: "virtualNodeName" set_virtual_node_name virtual_node_name,
    above: ["meshName" set_mesh_name mesh_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}
kind! {
    virtual_router "virtualRouter", virtual_routers "virtualRouters",
    create_virtual_router describe_virtual_router update_virtual_router delete_virtual_router list_virtual_routers,
    own: "virtualRouterName" set_virtual_router_name virtual_router_name,
    above: ["meshName" set_mesh_name mesh_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}
kind! {
    route "route", routes "routes",
    create_route describe_route update_route delete_route list_routes,
    own: "routeName" set_route_name route_name,
    above: ["meshName" set_mesh_name mesh_name, "virtualRouterName" set_virtual_router_name virtual_router_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}
kind! {
    virtual_service "virtualService", virtual_services "virtualServices",
    create_virtual_service describe_virtual_service update_virtual_service delete_virtual_service list_virtual_services,
    own: "virtualServiceName" set_virtual_service_name virtual_service_name,
    above: ["meshName" set_mesh_name mesh_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}
kind! {
    virtual_gateway "virtualGateway", virtual_gateways "virtualGateways",
    create_virtual_gateway describe_virtual_gateway update_virtual_gateway delete_virtual_gateway list_virtual_gateways,
    own: "virtualGatewayName" set_virtual_gateway_name virtual_gateway_name,
    above: ["meshName" set_mesh_name mesh_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}
kind! {
    gateway_route "gatewayRoute", gateway_routes "gatewayRoutes",
    create_gateway_route describe_gateway_route update_gateway_route delete_gateway_route list_gateway_routes,
    own: "gatewayRouteName" set_gateway_route_name gateway_route_name,
    above: ["meshName" set_mesh_name mesh_name, "virtualGatewayName" set_virtual_gateway_name virtual_gateway_name],
    owner: changing [set_mesh_owner] describing [set_mesh_owner] listing [set_mesh_owner],
    status: |status| Some(status.status())
}

/// The three operations of tags.
pub async fn tags(clients: &Clients, step: &Step<'_>) -> Result<Value, Error> {
    let arn = step.text("resourceArn");
    let shown = |tags: Vec<TagRef>| -> Value {
        let tags = tags.iter().map(|tag| json!({"key": tag.key(), "value": tag.value()}));
        json!({ "tags": tags.collect::<Vec<_>>() })
    };
    match step.call {
        "TagResource" => {
            clients
                .server
                .tag_resource()
                .set_resource_arn(arn)
                .set_tags(step.tags())
                .send()
                .await?;
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys = step.input["tagKeys"].as_array().into_iter().flatten();
            let keys = keys.filter_map(|key| key.as_str().map(str::to_owned)).collect();
            clients
                .server
                .untag_resource()
                .set_resource_arn(arn)
                .set_tag_keys(Some(keys))
                .send()
                .await?;
            Ok(json!({}))
        }
        _ => {
            let asked = clients.server.list_tags_for_resource().set_resource_arn(arn);
            let Some(size) = step.pages else {
                return Ok(Value::from(vec![shown(asked.send().await?.tags)]));
            };
            let mut pages = Vec::new();
            let mut stream = asked.into_paginator().page_size(size).send();
            while let Some(page) = stream.next().await {
                pages.push(shown(page?.tags));
            }
            Ok(Value::from(pages))
        }
    }
}
