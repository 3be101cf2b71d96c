//! Whatever mesh was taken can be analyzed, and the same mesh gives the same findings.

mod meshes;

use ferromesh_analyze::analyze;
use ferromesh_generate::{Flaws, World};
use ferromesh_ir::Options;
use meshes::assembled;
use serde_json::json;

#[test]
fn generated_meshes_are_analyzed_to_the_end() {
    let mut findings = 0;
    for seed in 0..300 {
        let mesh = World::from_seed(seed, Flaws::None).admit().mesh;
        let found = analyze(&mesh, &Options::default());
        findings += found.len();
        assert!(
            found.windows(2).all(|pair| pair[0] < pair[1]),
            "seed {seed}: findings are sorted, each once"
        );
        assert_eq!(found, analyze(&mesh, &Options::default()), "seed {seed}");
    }
    assert!(findings > 0, "300 meshes without a finding: nothing was looked at");
}

#[test]
fn a_mesh_where_all_call_all_is_analyzed_to_the_end() {
    let backends: Vec<_> = (0..40)
        .map(|number| json!({"virtualService": {"virtualServiceName": format!("s{number}.local")}}))
        .collect();
    let mut specs = Vec::new();
    for number in 0..40 {
        let node = json!({
            "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": format!("n{number}.local"), "responseType": "ENDPOINTS"}},
            "backends": backends,
        });
        let provider = json!({"provider": {"virtualNode": {"virtualNodeName": format!("n{number}")}}});
        specs.push((format!("virtualNode/n{number}"), node));
        specs.push((format!("virtualService/s{number}.local"), provider));
    }
    let client = json!({"backends": [{"virtualService": {"virtualServiceName": "s0.local"}}]});
    specs.push(("virtualNode/client".to_owned(), client));
    let mesh = assembled(
        specs.iter().map(|(place, spec)| (place.as_str(), spec.clone())),
        Vec::new(),
    );
    let found = analyze(&mesh, &Options::default());
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    // Each node calls itself too, which is a round of its own.
    assert_eq!(codes, vec!["FM215"; 40]);
}
