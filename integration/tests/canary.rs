//! Weighted splits through the fused filter in stock Envoy, and what may override them.

use std::collections::BTreeMap;

use ferromesh_integration::two_colours::TwoColours;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn traffic_splits_by_the_weights_and_a_client_cannot_choose() {
    let mesh = TwoColours::start([70, 30]).await.expect("the mesh");
    let report = mesh.load().send(3_000).await.expect("load");
    report.assert_no_failures("a plain split");
    report.assert_share("green", 0.3);

    // A client that forges the filter's own header gets what everybody gets.
    let forged = mesh
        .load()
        .header("x-ferromesh-pick", "85")
        .send(1_000)
        .await
        .expect("load");
    forged.assert_no_failures("a forged pick");
    forged.assert_share("green", 0.3);
    for seen in mesh.blue.seen().iter().chain(&mesh.green.seen()) {
        assert_ne!(seen.header("x-ferromesh-pick"), Some("85"), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sticky_user_stays_with_one_target_and_a_weight_change_moves_only_marginal_users() {
    let mesh = TwoColours::start([80, 20]).await.expect("the mesh");
    let policy = json!({
        "name": "sticky",
        "mesh": "colours",
        "target": {"route": {"router": "color", "name": "color"}},
        "spec": {"canary": {"sticky": {"header": "x-user"}, "override": {"header": "x-canary"}}},
    });
    mesh.rig
        .accepted(Method::PUT, "/v1/policies/colours/sticky", &policy)
        .await
        .expect("the policy");
    wait_until_sticky(&mesh).await;
    let before = colours_of_users(&mesh).await;
    let green = before.values().filter(|colour| *colour == "green").count();
    // 200 users at 20 %: 40, give or take three standard deviations.
    assert!((23..=57).contains(&green), "{green} of 200 users on green");
    assert_eq!(colours_of_users(&mesh).await, before, "users moved by themselves");

    mesh.set_weights([70, 30]).await.expect("an update");
    wait_for_weights(&mesh, [70, 30]).await;
    let after = colours_of_users(&mesh).await;
    let back = before
        .iter()
        .filter(|(user, colour)| *colour == "green" && after[*user] != "green")
        .count();
    assert_eq!(back, 0, "a higher weight took users away");

    // A tester chooses with the header that the policy names.
    let tester = mesh
        .load()
        .header("x-user", "u1")
        .header("x-canary", "green")
        .send(50)
        .await
        .expect("load");
    assert_eq!(tester.notes(), BTreeMap::from([("green".to_owned(), 50)]));
}

async fn colours_of_users(mesh: &TwoColours) -> BTreeMap<String, String> {
    let mut colours = BTreeMap::new();
    for user in 0..200 {
        let user = format!("user-{user}");
        let load = mesh.load().connections(1).header("x-user", &user);
        let notes = load.send(2).await.expect("load").notes();
        assert_eq!(notes.len(), 1, "{user} saw {notes:?}");
        colours.extend(notes.into_keys().map(|colour| (user.clone(), colour)));
    }
    colours
}

async fn wait_until_sticky(mesh: &TwoColours) {
    ferromesh_integration::rig::eventually(
        "the sticky policy is in effect",
        ferromesh_integration::rig::PATIENCE,
        async || {
            let load = mesh.load().header("x-user", "somebody");
            let notes = load.send(60).await.expect("load").notes();
            (notes.len() == 1).then_some(())
        },
    )
    .await
    .expect("a policy in effect");
}

async fn wait_for_weights(mesh: &TwoColours, weights: [u32; 2]) {
    let total = weights[0] + weights[1];
    ferromesh_integration::rig::eventually(
        "the new weights are in Envoy",
        ferromesh_integration::rig::PATIENCE,
        async || {
            let dump = mesh.gateway.admin().get("/config_dump").await.ok()?;
            let dump: String = dump.split_whitespace().collect();
            weights
                .iter()
                .all(|weight| dump.contains(&format!("\"weight\":{weight}")))
                .then_some(total)
        },
    )
    .await
    .expect("new weights");
}
