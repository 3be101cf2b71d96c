//! Join tokens and renewal, over real TLS.

use rcgen::KeyPair;
use serde_json::json;

use crate::world::{request, text, Pair, World};

const NODE: &str = "mesh/m/virtualNode/n";

#[tokio::test]
async fn a_proxy_joins_by_a_token_and_renews_by_its_certificate_until_it_is_revoked() {
    let world = World::start().await;
    let token = world.token(NODE, 1).await;
    let key = KeyPair::generate().expect("a key");
    let body = json!({"csr": request(&key), "token": token});
    let (status, issued) = world.post_over_tls(None, &body).await;
    assert_eq!(status, 200, "{issued}");
    assert_eq!(text(&issued, "root"), world.root());
    let (status, again) = world.post_over_tls(None, &body).await;
    assert_eq!(status, 403, "{again}");

    let first = Pair {
        chain: text(&issued, "certificateChain"),
        key: key.serialize_pem(),
    };
    let key = KeyPair::generate().expect("a key");
    let renewal = json!({ "csr": request(&key) });
    assert_eq!(world.post_over_tls(None, &renewal).await.0, 403, "nothing is shown");
    let of_another_authority = world.spire.issue(&["spiffe://example.org/ns/m/sa/n"]);
    let (status, _) = world.post_over_tls(Some(&of_another_authority), &renewal).await;
    assert_eq!(status, 403, "whom another authority vouches for renews there");
    let (status, renewed) = world.post_over_tls(Some(&first), &renewal).await;
    assert_eq!(status, 200, "{renewed}");
    assert_ne!(text(&renewed, "serial"), text(&issued, "serial"));

    let second = Pair {
        chain: text(&renewed, "certificateChain"),
        key: key.serialize_pem(),
    };
    world.revoke(json!({ "proxy": NODE })).await;
    let waited =
        ferromesh_integration::rig::eventually("the revocation", ferromesh_integration::rig::PATIENCE, async || {
            (world.post_over_tls(Some(&second), &renewal).await.0 == 403).then_some(())
        });
    waited.await.expect("a revoked proxy renews nothing");
    let anew = world.join(NODE).await;
    let (status, renewed) = world.post_over_tls(Some(&anew), &renewal).await;
    assert_eq!(status, 200, "what is issued later counts: {renewed}");
    world.rig.shut_down().expect("a clean end");
}
