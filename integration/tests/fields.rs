//! Every field of App Mesh's API does on stock Envoy what its case in `fields/` says.

use std::sync::Arc;

use ferromesh_integration::{
    fields::{self, certificates::Certificates, sds::Sds, Case},
    rig::Rig,
};
use futures_util::StreamExt;

/// How many cases run at a time. Most of a case's time is waiting: for the proxy, for time-outs, for intervals.
const AT_ONCE: usize = 3;

/// `FERROMESH_FIELDS=routes` runs the cases alone whose name holds `routes`.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_does_what_its_case_says() {
    let rig = Rig::start().await.expect("a control plane");
    let files = rig.file("fields");
    std::fs::create_dir(&files).expect("a folder");
    let certificates = Certificates::make(&files).expect("certificates");
    // What the mesh's own authority issues is trusted under the name `mesh`.
    let root = rig.file("data/certificates/root.pem");
    std::os::unix::fs::symlink(root, files.join("mesh.pem")).expect("a link");
    let _sds = Sds::start(&files.join("sds.sock"), certificates.clone()).expect("an SDS server");
    let wanted = std::env::var("FERROMESH_FIELDS").unwrap_or_default();
    let mut cases = Case::all(&fields::run::folder(), &files).expect("cases");
    cases.retain(|case| case.name.contains(&wanted));
    assert!(!cases.is_empty(), "no case is named {wanted}");
    let count = cases.len();
    let rig = Arc::new(rig);
    let failures: Vec<String> = futures_util::stream::iter(cases)
        .map(|case| {
            let (rig, certificates) = (rig.clone(), certificates.clone());
            async move {
                let started = std::time::Instant::now();
                let done = fields::run(&rig, &case, &certificates).await;
                let said = if done.is_ok() { "ok" } else { "FAILED" };
                println!("{:>6.1} s  {}  {said}", started.elapsed().as_secs_f64(), case.name);
                done.err()
                    .map(|error| format!("{}: {}\n{error:#}", case.name, case.description))
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
