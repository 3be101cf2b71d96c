//! Real users' resources: every file of the example meshes passes the checks and survives being typed.

mod example_files;

use ferromesh_model::resource::{
    GatewayRouteSpec, Kind, MeshSpec, RouteSpec, VirtualGatewaySpec, VirtualNodeSpec, VirtualRouterSpec,
    VirtualServiceSpec,
};
use ferromesh_model::validate;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

fn back<T: DeserializeOwned + Serialize>(spec: &Value) -> Value {
    let typed = T::deserialize(spec).expect("a spec that passed the checks can be read");
    serde_json::to_value(typed).expect("JSON")
}

#[test]
fn takes_every_example_and_writes_it_back_as_it_was() {
    let Some(folder) = example_files::folder() else {
        return;
    };
    let found = example_files::files(&folder);
    for path in &found {
        let input = example_files::read(path);
        // Only meshes may leave it out.
        let spec = &input
            .get("spec")
            .cloned()
            .unwrap_or_else(|| Value::Object(Default::default()));
        let kind = example_files::kind(path, &input);
        assert_eq!(validate::spec(kind, spec), [], "{path:?} as {kind}");
        let written = match kind {
            Kind::Mesh => back::<MeshSpec>(spec),
            Kind::VirtualNode => back::<VirtualNodeSpec>(spec),
            Kind::VirtualService => back::<VirtualServiceSpec>(spec),
            Kind::VirtualRouter => back::<VirtualRouterSpec>(spec),
            Kind::Route => back::<RouteSpec>(spec),
            Kind::VirtualGateway => back::<VirtualGatewaySpec>(spec),
            Kind::GatewayRoute => back::<GatewayRouteSpec>(spec),
        };
        assert_eq!(&written, spec, "{path:?} as {kind}");
    }
    println!("{} example files", found.len());
    assert!(!found.is_empty());
}
