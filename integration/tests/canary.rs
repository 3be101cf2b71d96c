//! Weighted splits through the fused filter in stock Envoy, and what may override them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ferromesh_integration::two_colours::TwoColours;
use reqwest::Method;
use serde_json::{json, Value};

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

/// Requests that the explanation is compared on, for each policy.
const EXPLAINED: u32 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_target_that_the_filter_in_envoy_chooses() {
    let mesh = TwoColours::start([70, 30]).await.expect("the mesh");
    let places = json!([{"header": "x-user"}, {"cookie": "sid"}, {"query": "user"}]);
    let sticky = json!({"anyOf": places});
    let tester = json!({"header": "x-canary", "cookie": "canary"});
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let hour_ago = now.expect("a clock").as_millis() - 3_600_000;
    let steps = json!([
        {"afterSeconds": 0, "weights": [70, 30]},
        {"afterSeconds": 60, "weights": [40, 60]},
        {"afterSeconds": 360_000, "weights": [0, 100]},
    ]);
    let ramp = json!({"startUnixMillis": u64::try_from(hour_ago).expect("a time"), "steps": steps});
    let mut targets = Vec::new();
    for canary in [
        json!({"sticky": sticky, "override": tester}),
        json!({"sticky": sticky, "override": tester, "ramp": ramp}),
    ] {
        let spec = json!({"target": {"route": {"router": "color", "name": "color"}}, "spec": {"canary": canary}});
        mesh.rig
            .accepted(Method::PUT, "/v1/policies/colours/sticky", &spec)
            .await
            .expect("the policy");
        until_all_agree(&mesh).await;
        let mut certain = BTreeMap::new();
        for number in 0..EXPLAINED {
            let (path, headers) = generated(number);
            let (target, told) = explained(&mesh, &path, &headers).await;
            let colour = answered(&mesh, &path, &headers).await;
            let Some(target) = target else {
                assert!(told.contains("drawn by weight"), "{told}");
                continue;
            };
            assert_eq!(target, colour, "{path} {headers:?}: {told}");
            *certain.entry(target).or_insert(0) += 1;
        }
        assert!(certain.values().sum::<u32>() > EXPLAINED / 2, "{certain:?}");
        assert!(certain.len() == 2 && certain["green"] > 15, "{certain:?}");
        targets.push(certain);
    }
    assert!(targets[0]["green"] < targets[1]["green"], "{targets:?}");
    // What is said to be drawn is drawn: the filter reads the first header of a name.
    let two_cookies = vec![("cookie", "a=b".to_owned()), ("cookie", "sid=s".to_owned())];
    for headers in [Vec::new(), two_cookies] {
        assert_eq!(explained(&mesh, "/", &headers).await.0, None, "{headers:?}");
        let mut colours = BTreeSet::new();
        for _ in 0..40 {
            colours.insert(answered(&mesh, "/", &headers).await);
        }
        assert_eq!(colours.len(), 2, "{headers:?} always meets {colours:?}");
    }
}

/// A request that names a target, a user in one place or another, or nothing.
fn generated(number: u32) -> (String, Vec<(&'static str, String)>) {
    // A permutation, so that neighbours have little in common.
    let mixed = number.wrapping_mul(0x9e37_79b1).rotate_left(13);
    let user = format!("user {:x}", mixed.wrapping_mul(0x85eb_ca6b));
    let mut path = format!("/p{number}");
    let mut headers = Vec::new();
    if mixed.is_multiple_of(10) {
        headers.push(("x-canary", ["blue", "green", "nobody"][number as usize % 3].to_owned()));
    }
    match mixed % 9 {
        0 | 1 => headers.push(("x-user", user)),
        2 => headers.push(("cookie", format!("a=b; sid={}; canary=no", user.replace(' ', "-")))),
        3 => path = format!("{path}?x=1&user={}&user=z", user.replace(' ', "%20")),
        4 => {
            headers.push(("x-user", String::new()));
            headers.push(("cookie", format!("sid={number}")));
        }
        5 => headers.push(("cookie", "canary=green; sid=s".to_owned())),
        // Twice the same header.
        6 => headers.extend([("x-user", user), ("x-user", "another".to_owned())]),
        7 => headers.extend([("cookie", "a=b".to_owned()), ("cookie", format!("sid={number}"))]),
        _ => {}
    }
    (path, headers)
}

/// The colour that the explanation names, and all of what it says of the choice.
async fn explained(mesh: &TwoColours, path: &str, headers: &[(&str, String)]) -> (Option<String>, String) {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    choice(mesh, json!({"url": mesh.url(path), "headers": headers})).await
}

async fn choice(mesh: &TwoColours, mut question: Value) -> (Option<String>, String) {
    question["mesh"] = json!("colours");
    question["from"] = json!("gateway");
    let answer = mesh.rig.accepted(Method::POST, "/v1/explain", &question).await;
    let answer = answer.expect("an explanation");
    let choice = &answer["first"]["outcome"]["choice"];
    let node = choice["target"]
        .as_str()
        .and_then(|target| target.strip_prefix("virtualNode/"));
    let colour = node.and_then(|node| node.split(',').next());
    (colour.map(str::to_owned), choice.to_string())
}

/// The colour that answers.
async fn answered(mesh: &TwoColours, path: &str, headers: &[(&str, String)]) -> String {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = headers.iter().fold(http.get(mesh.url(path)), |request, (name, value)| {
        request.header(*name, value)
    });
    colour(request).await
}

async fn colour(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    let colour = answer.headers().get("x-colour").and_then(|value| value.to_str().ok());
    colour.expect("a colour").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_target_of_each_source_address() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let policy = json!({
        "target": {"route": {"router": "color", "name": "color"}},
        "spec": {"canary": {"sticky": {"sourceAddress": {}}}},
    });
    let path = "/v1/policies/colours/sticky";
    mesh.rig.accepted(Method::PUT, path, &policy).await.expect("the policy");
    let sources: Vec<Ipv4Addr> = (2..42).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect();
    let mut told = BTreeMap::new();
    for source in &sources {
        let question = json!({"url": mesh.url("/"), "source": source});
        told.insert(source, choice(&mesh, question).await.0.expect("it is certain"));
    }
    assert_eq!(told.values().collect::<BTreeSet<_>>().len(), 2, "{told:?}");
    ferromesh_integration::rig::eventually(
        "each address meets the target that the explanation names",
        ferromesh_integration::rig::PATIENCE,
        async || {
            for (source, wanted) in &told {
                let http = reqwest::Client::builder()
                    .no_proxy()
                    .local_address(IpAddr::from(**source));
                let http = http.build().expect("a client");
                if colour(http.get(mesh.url("/"))).await != *wanted {
                    return None;
                }
            }
            Some(())
        },
    )
    .await
    .expect("they agree");
}

/// Until Envoy has the policy, by what it does with some users.
async fn until_all_agree(mesh: &TwoColours) {
    let users: Vec<_> = (0..40).map(|user| vec![("x-user", format!("first-{user}"))]).collect();
    ferromesh_integration::rig::eventually(
        "the policy is in effect",
        ferromesh_integration::rig::PATIENCE,
        async || {
            for headers in &users {
                let (target, _) = explained(mesh, "/", headers).await;
                if target? != answered(mesh, "/", headers).await {
                    return None;
                }
            }
            Some(())
        },
    )
    .await
    .expect("a policy in effect");
}
