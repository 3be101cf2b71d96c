//! Proxies of meshes that other accounts own.

use super::*;

const OTHER: &str = "210987654321";

#[tokio::test]
async fn serves_meshes_of_the_same_name_to_the_proxies_of_their_own_accounts() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    rig.gateway(80);
    let theirs = AccountStore::new(rig.store.as_ref() as &dyn Store, OTHER);
    let listener = json!({"portMapping": {"port": 9000, "protocol": "http"}});
    let gateway = record(
        Key::in_mesh("m", Kind::VirtualGateway, "g"),
        json!({ "listeners": [listener] }),
    );
    for record in [record(Key::mesh("m"), json!({})), gateway] {
        let transaction = Transaction {
            changes: vec![catalog::put_record(&record).unwrap()],
            ..Transaction::default()
        };
        theirs.commit(transaction).unwrap();
    }
    let listens = |snapshot: &Snapshot, port: &str| {
        let mut listeners = snapshot.resources(type_url::LISTENER).iter();
        listeners.any(|listener| listener.name().ends_with(port))
    };
    let mut ours = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    let mut foreign = rig
        .subscribe("arn:aws:appmesh:us-east-1:210987654321:mesh/m/virtualGateway/g")
        .unwrap();
    assert!(listens(next(&mut ours).await.as_ref(), "_80"));
    assert!(listens(next(&mut foreign).await.as_ref(), "_9000"));
    // A consumer's proxy in a mesh of the server's own account.
    let shared = "arn:aws:appmesh:us-east-1:210987654321:mesh/m@123456789012/virtualGateway/g";
    let mut shared = rig.subscribe(shared).unwrap();
    assert!(listens(next(&mut shared).await.as_ref(), "_80"));
    let mut ids: Vec<String> = rig.publisher.reports().into_iter().map(|report| report.id).collect();
    ids.sort();
    assert_eq!(ids, ["mesh/m/virtualGateway/g", "mesh/m@210987654321/virtualGateway/g"]);
}
