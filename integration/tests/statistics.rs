//! The canary's shares and its users in stock Envoy, counted.
//!
//! 10,000 requests and 500 users; `FERROMESH_FULL=1` sends 100,000. A right share is off by more than three standard
//! deviations in one sample of 370, so one that is off is taken once more: two in a row are one in 137,000.

use std::collections::BTreeMap;

use ferromesh_integration::{
    bed::{Bed, Setup},
    client::{Answer, Client},
    full, stats,
    upstream::Upstream,
};
use serde_json::{json, Value};

const USERS: usize = 500;

fn policy(weights: [u32; 2], more: Value) -> Value {
    let mut canary = json!({"weights": weights});
    for (name, value) in more.as_object().expect("members") {
        canary[name] = value.clone();
    }
    json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue", "green"],
        "canary": canary,
    })
}

/// An Envoy in front of both colours.
async fn bed(colours: &[Upstream; 2], weights: [u32; 2], more: Value) -> Bed {
    let [blue, green] = colours;
    let setup = Setup::with_policy("canary", &policy(weights, more)).expect("a built module");
    setup
        .target(blue, weights[0])
        .target(green, weights[1])
        .start()
        .await
        .expect("Envoy")
}

async fn colours() -> [Upstream; 2] {
    let started = [Upstream::start("blue").await, Upstream::start("green").await];
    started.map(|upstream| upstream.expect("an upstream"))
}

fn colour(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-colour").expect("a colour").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_get_their_weights_within_three_deviations() {
    let colours = colours().await;
    let requests = full(10_000, 100_000);
    for weights in [[90, 10], [1, 1], [999, 1]] {
        let bed = bed(&colours, weights, json!({})).await;
        let expected = f64::from(weights[1]) / f64::from(weights[0] + weights[1]);
        let mut off = f64::INFINITY;
        for _ in 0..2 {
            let report = bed.load().send(requests).await.expect("load");
            report.assert_no_failures("a split");
            let green = report.notes().get("green").copied().unwrap_or(0);
            off = stats::sigmas(green, requests, expected);
            println!("{weights:?}: green got {green} of {requests}, {off:.2} deviations off");
            if off <= 3.0 {
                break;
            }
        }
        assert!(off <= 3.0, "{weights:?}: {off:.2} deviations off, twice");
        bed.assert_no_trap().await.expect("no trap");
    }
}

async fn users(bed: &Bed) -> BTreeMap<usize, String> {
    let mut client = Client::of(bed.address()).expect("a client");
    let mut users = BTreeMap::new();
    for user in 0..USERS {
        let name = format!("user-{user}");
        let answer = client.get("/", &[("x-user", &name)]).await.expect("an answer");
        users.insert(user, colour(&answer));
    }
    users
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_of_500_moves_by_themselves_and_a_weight_change_moves_only_the_marginal_ones() {
    let colours = colours().await;
    let sticky = || json!({"sticky": {"header": "x-user"}});
    let (before, after) = (
        bed(&colours, [80, 20], sticky()).await,
        bed(&colours, [70, 30], sticky()).await,
    );
    let (at_20, at_30) = (users(&before).await, users(&after).await);
    for _ in 0..full(2, 20) {
        assert_eq!(users(&before).await, at_20, "a user moved by themselves");
        assert_eq!(users(&after).await, at_30, "a user moved by themselves");
    }
    let moved = at_20.iter().filter(|(user, colour)| at_30[*user] != **colour).count();
    let back = at_20
        .iter()
        .filter(|(user, colour)| *colour == "green" && at_30[*user] == "blue")
        .count();
    assert_eq!(back, 0, "more weight took users away");
    let green = at_20.values().filter(|colour| *colour == "green").count();
    println!("{green} of {USERS} users on green at 20 %, {moved} moved there at 30 %");
    // Users are hashed, not drawn: these are the same in every run.
    assert!(stats::sigmas(green, USERS, 0.2) <= 3.0, "{green} users on green");
    assert!(stats::sigmas(moved, USERS, 0.1) <= 3.0, "{moved} users moved");
}

fn cookie(keys: &[&str]) -> Value {
    let set = json!({"ttlSeconds": 3600, "secure": false});
    json!({"sticky": {"cookie": {"name": "fm", "set": set, "signingKeys": keys}}})
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
const OTHER_KEY: &str = "EBESExQVFhcYGRobHB0eHw==";

/// The cookie that an answer sets, as a client sends it back.
fn kept(answer: &Answer) -> String {
    let set = answer.values("set-cookie");
    let [value] = set[..] else {
        panic!("one cookie, not {set:?}")
    };
    let (pair, attributes) = value.split_once("; ").expect("attributes");
    assert!(attributes.contains("Max-Age=3600"), "{value}");
    assert!(
        attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"),
        "{value}"
    );
    pair.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_its_cookie_stays_and_a_forged_cookie_is_replaced() {
    let colours = colours().await;
    let bed = bed(&colours, [50, 50], cookie(&[KEY])).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let (mut green, browsers) = (0, full(500, 5_000));
    let mut cookies = Vec::new();
    for _ in 0..browsers {
        let first = client.get("/", &[]).await.expect("an answer");
        let (cookie, home) = (kept(&first), colour(&first));
        for _ in 0..3 {
            let again = client.get("/", &[("cookie", &cookie)]).await.expect("an answer");
            assert_eq!(colour(&again), home, "{cookie} moved");
            assert!(again.values("set-cookie").is_empty(), "a valid cookie was set anew");
        }
        green += usize::from(home == "green");
        cookies.push((cookie, home));
    }
    let off = stats::sigmas(green, browsers, 0.5);
    assert!(
        off <= 4.0,
        "{green} of {browsers} browsers on green: {off:.1} deviations off"
    );

    // Whoever writes an id does not choose a target by it: the cookie is none, and a new one is set.
    let (valid, _) = &cookies[0];
    let mut forged = vec!["fm=".to_owned(), "fm=0000000000000000".to_owned(), format!("{valid}0")];
    forged.push(valid.replace('.', ""));
    let (id, tag) = valid.split_once('.').expect("a signed cookie");
    for digit in ["0", "1", "2", "3"] {
        forged.push(format!("fm={digit}{}.{tag}", &id[4..]));
    }
    forged.retain(|cookie| cookie != valid);
    for cookie in &forged {
        let answer = client.get("/", &[("cookie", cookie)]).await.expect("an answer");
        assert_ne!(&kept(&answer), cookie, "a forged cookie was taken");
    }
    // The same forged cookie meets both targets.
    let mut met = BTreeMap::new();
    for _ in 0..200 {
        let answer = client.get("/", &[("cookie", &forged[1])]).await.expect("an answer");
        *met.entry(colour(&answer)).or_insert(0) += 1;
    }
    assert_eq!(met.len(), 2, "a forged id chose a target: {met:?}");

    // Another Envoy with a new key before the old one: nobody moves, and the cookie is signed anew.
    let rotated = self::bed(&colours, [50, 50], cookie(&[OTHER_KEY, KEY])).await;
    let mut client = Client::of(rotated.address()).expect("a client");
    for (cookie, home) in cookies.iter().take(100) {
        let answer = client.get("/", &[("cookie", cookie)]).await.expect("an answer");
        assert_eq!(&colour(&answer), home, "a rotated key moved a user");
        let renewed = kept(&answer);
        assert_eq!(renewed.split('.').next(), cookie.split('.').next());
        assert_ne!(&renewed, cookie);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tester_reaches_the_target_that_they_name_and_nobody_else_does() {
    let colours = colours().await;
    let bed = bed(
        &colours,
        [1_000_000, 1],
        json!({"override": {"header": "x-canary", "cookie": "try"}}),
    )
    .await;
    let mut client = Client::of(bed.address()).expect("a client");
    for headers in [[("x-canary", "green")], [("cookie", "a=b; try=green")]] {
        for _ in 0..50 {
            let answer = client.get("/", &headers).await.expect("an answer");
            assert_eq!(colour(&answer), "green", "{headers:?}");
        }
    }
    let report = bed.load().header("x-canary", "Green").send(300).await.expect("load");
    assert!(
        report.notes().get("green").copied().unwrap_or(0) <= 2,
        "{:?}",
        report.notes()
    );
}
