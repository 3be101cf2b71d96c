//! What faults hit whom.

use super::*;
use crate::test_view::TestView;

fn policy(json: &str) -> Policy {
    Policy::compile(&serde_json::from_str(json).unwrap()).unwrap()
}

#[test]
fn hits_its_share_of_requests() {
    let policy = policy(r#"{"delay":{"millis":20,"percent":25},"abort":{"status":503,"percent":10}}"#);
    let mut draws = Draws::from_seed(3);
    let faults: Vec<Fault> = (0..10_000)
        .map(|_| policy.decide(&TestView::default(), &mut draws))
        .collect();
    let delayed = faults.iter().filter(|fault| fault.delay.is_some()).count();
    let aborted = faults.iter().filter(|fault| fault.abort.is_some()).count();
    assert!((2_370..=2_630).contains(&delayed), "{delayed}");
    assert!((910..=1_090).contains(&aborted), "{aborted}");
    let both = |fault: &&Fault| fault.delay == Some(Duration::from_millis(20)) && fault.abort.is_some();
    assert!(faults.iter().find(both).is_some());
}

#[test]
fn spares_requests_without_the_mark() {
    let policy = policy(r#"{"abort":{"status":500,"grpcStatus":14},"when":{"header":"x-chaos","value":"on"}}"#);
    let mut draws = Draws::from_seed(3);
    let mut decide = |view: TestView| policy.decide(&view, &mut draws).abort;
    let abort = Abort {
        status: 500,
        grpc_status: Some(14),
    };
    assert_eq!(decide(TestView::default().header("x-chaos", b"on")), Some(abort));
    assert_eq!(decide(TestView::default().header("x-chaos", b"off")), None);
    assert_eq!(decide(TestView::default()), None);
}

#[test]
fn any_value_is_a_mark_when_none_is_named() {
    let policy = policy(r#"{"abort":{"status":500},"when":{"header":"x-chaos"}}"#);
    let fault = policy.decide(
        &TestView::default().header("x-chaos", b"\xff"),
        &mut Draws::from_seed(0),
    );
    assert!(fault.abort.is_some());
}

#[test]
fn names_every_mistake() {
    let config = r#"{"delay":{"millis":0,"percent":101},"abort":{"status":99,"grpcStatus":17,"percent":-1},
        "when":{"header":"X-Chaos"}}"#;
    let violations = Policy::compile(&serde_json::from_str(config).unwrap()).unwrap_err();
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "delay.millis",
            "delay.percent",
            "abort.status",
            "abort.grpcStatus",
            "abort.percent",
            "when.header"
        ]
    );
    assert!(Policy::compile(&Config::default()).is_err());
}
