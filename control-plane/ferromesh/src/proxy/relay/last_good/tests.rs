use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};

use super::super::wire::Resource;
use super::*;
use ferromesh_xds::message::Status;

/// A delta response with resources `name@version`.
fn response(url: &str, nonce: &str, resources: &[&str], removed: &[&str]) -> DeltaResponse {
    let resource = |text: &&str| {
        let (name, version) = text.split_once('@').unwrap();
        let any = Any {
            type_url: url.to_owned(),
            value: Bytes::from(text.to_string()),
        };
        Resource {
            version: version.to_owned(),
            resource: Some(any),
            name: name.to_owned(),
        }
    };
    DeltaResponse {
        resources: resources.iter().map(resource).collect(),
        type_url: url.to_owned(),
        nonce: nonce.to_owned(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn request(url: &str) -> DeltaRequest {
    DeltaRequest {
        type_url: url.to_owned(),
        ..DeltaRequest::default()
    }
}

fn asking(url: &str, names: &[&str]) -> DeltaRequest {
    DeltaRequest {
        resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        ..request(url)
    }
}

fn holding(url: &str, resources: &[&str]) -> DeltaRequest {
    let held = resources.iter().map(|text| text.split_once('@').unwrap());
    DeltaRequest {
        initial_resource_versions: held.map(|(name, version)| (name.into(), version.into())).collect(),
        ..request(url)
    }
}

fn answer(url: &str, nonce: &str) -> DeltaRequest {
    DeltaRequest {
        response_nonce: nonce.to_owned(),
        ..request(url)
    }
}

fn refusal(url: &str, nonce: &str, message: &str) -> DeltaRequest {
    let status = Status {
        code: 13,
        message: message.to_owned(),
    };
    DeltaRequest {
        error_detail: Some(status),
        ..answer(url, nonce)
    }
}

/// `name@version` of what is good.
fn good(state: &LastGood) -> Vec<String> {
    let shown = |(_, name, kept): (&Arc<str>, &Arc<str>, &Kept)| {
        let shown = format!("{name}@{}", kept.version);
        assert_eq!(shown.as_bytes(), &kept.value[..]);
        shown
    };
    let all = state.configuration().iter().map(shown).collect();
    let bytes = state
        .configuration()
        .iter()
        .map(|(_, n, k)| n.len() + k.version.len() + k.value.len());
    assert_eq!(state.configuration().bytes(), bytes.sum::<usize>());
    all
}

/// An Envoy with one of each.
fn started() -> LastGood {
    let mut state = LastGood::default();
    state.open();
    for (url, name, first) in [
        (CLUSTER, "c@1", request(CLUSTER)),
        (ENDPOINT, "e@1", asking(ENDPOINT, &["e"])),
        (LISTENER, "l@1", request(LISTENER)),
        (ROUTE, "r@1", asking(ROUTE, &["r"])),
    ] {
        assert_eq!(state.on_delta_request(first), Change::None);
        state.on_delta_response(response(url, name, &[name], &[])).unwrap();
        assert_eq!(state.on_delta_request(answer(url, name)), Change::Accepted);
    }
    state
}

#[test]
fn what_is_offered_is_good_when_it_is_acknowledged_and_not_before() {
    let mut state = LastGood::default();
    state.open();
    state.on_delta_request(request(CLUSTER));
    state
        .on_delta_response(response(CLUSTER, "1", &["a@1", "b@1"], &[]))
        .unwrap();
    assert!(good(&state).is_empty());
    assert_eq!(
        state.on_delta_request(answer(CLUSTER, "other")),
        Change::None,
        "a stale nonce"
    );
    assert_eq!(
        state.on_delta_request(answer(LISTENER, "1")),
        Change::None,
        "another type"
    );
    assert_eq!(state.on_delta_request(answer(CLUSTER, "1")), Change::Accepted);
    assert_eq!(good(&state), ["a@1", "b@1"]);
    state
        .on_delta_response(response(CLUSTER, "2", &["a@2"], &["b"]))
        .unwrap();
    assert_eq!(good(&state), ["a@1", "b@1"]);
    state.on_delta_request(answer(CLUSTER, "2"));
    assert_eq!(good(&state), ["a@2"]);
}

#[test]
fn what_is_refused_is_never_good_and_the_refusal_has_envoys_words() {
    let mut state = started();
    state
        .on_delta_response(response(LISTENER, "2", &["l@2", "m@1"], &[]))
        .unwrap();
    let change = state.on_delta_request(refusal(LISTENER, "2", "no such filter"));
    let expected = Change::Rejected {
        type_url: LISTENER.to_owned(),
        message: "no such filter".to_owned(),
    };
    assert_eq!(change, expected);
    assert_eq!(good(&state), ["c@1", "e@1", "l@1", "r@1"]);
    // A late second answer does not revive it.
    assert_eq!(state.on_delta_request(answer(LISTENER, "2")), Change::None);
    assert_eq!(good(&state), ["c@1", "e@1", "l@1", "r@1"]);
}

#[test]
fn an_offer_that_a_broken_stream_left_unanswered_is_good_if_envoy_holds_it() {
    let mut state = started();
    state.on_delta_response(response(ROUTE, "2", &["r@2"], &[])).unwrap();
    state
        .on_delta_response(response(CLUSTER, "3", &["d@1"], &["c"]))
        .unwrap();
    state.close();
    state.open();
    assert_eq!(state.on_delta_request(holding(CLUSTER, &["d@1"])), Change::Accepted);
    assert_eq!(
        state.on_delta_request(holding(ROUTE, &["r@1"])),
        Change::None,
        "it was not taken"
    );
    assert_eq!(good(&state), ["d@1", "e@1", "l@1", "r@1"]);
}

#[test]
fn an_envoy_that_begins_anew_takes_nothing_for_good_that_it_was_offered_before() {
    let mut state = started();
    state.on_delta_response(response(ROUTE, "2", &["r@2"], &[])).unwrap();
    state.close();
    state.open();
    assert_eq!(state.on_delta_request(asking(ROUTE, &["r"])), Change::None);
    assert_eq!(good(&state), ["c@1", "e@1", "l@1", "r@1"]);
}

#[test]
fn what_envoy_no_longer_asks_for_stays_until_all_has_settled() {
    let mut state = started();
    state
        .on_delta_response(response(CLUSTER, "2", &["d@1"], &["c"]))
        .unwrap();
    let mut gives_up = answer(ENDPOINT, "");
    gives_up.resource_names_unsubscribe = vec!["e".to_owned()];
    state.on_delta_request(gives_up);
    assert!(!state.settle(), "an offer is under way");
    state.on_delta_request(answer(CLUSTER, "2"));
    assert_eq!(good(&state), ["d@1", "e@1", "l@1", "r@1"]);
    assert!(state.settle());
    assert_eq!(good(&state), ["d@1", "l@1", "r@1"]);
    assert!(!state.settle(), "once is enough");
}

#[test]
fn a_fresh_envoy_that_has_clusters_only_does_not_cost_the_rest() {
    let mut state = started();
    state.close();
    state.open();
    state.on_delta_request(request(CLUSTER));
    state.on_delta_response(response(CLUSTER, "1", &["n@1"], &[])).unwrap();
    state.on_delta_request(answer(CLUSTER, "1"));
    assert!(!state.settle(), "there are no listeners yet");
    assert_eq!(good(&state), ["c@1", "n@1", "e@1", "l@1", "r@1"]);
    state.on_delta_request(request(LISTENER));
    state.on_delta_response(response(LISTENER, "2", &["l@1"], &[])).unwrap();
    state.on_delta_request(answer(LISTENER, "2"));
    assert!(state.settle());
    assert_eq!(good(&state), ["n@1", "e@1", "l@1", "r@1"]);
}

#[test]
fn an_envoy_that_comes_again_with_all_it_has_settles_without_a_response() {
    let mut state = started();
    state.close();
    state.open();
    state.on_delta_request(holding(CLUSTER, &["c@1"]));
    state.on_delta_request(holding(LISTENER, &["l@1"]));
    assert!(!state.settle());
    assert_eq!(good(&state), ["c@1", "e@1", "l@1", "r@1"]);
}

#[test]
fn a_full_state_takes_the_place_of_the_one_before_when_it_has_settled() {
    let cluster = |name: &str| Any {
        type_url: CLUSTER.to_owned(),
        value: Named { name: name.to_owned() }.encode_to_vec().into(),
    };
    let full = |nonce: &str, names: &[&str]| Response {
        version_info: nonce.to_owned(),
        resources: names.iter().map(|name| cluster(name)).collect(),
        type_url: CLUSTER.to_owned(),
        nonce: nonce.to_owned(),
    };
    let answered = |url: &str, nonce: &str| Request {
        type_url: url.to_owned(),
        response_nonce: nonce.to_owned(),
        ..Request::default()
    };
    let mut state = LastGood::default();
    state.open();
    state.on_request(answered(CLUSTER, ""));
    state.on_response(full("1", &["a", "b"])).unwrap();
    state.on_request(answered(CLUSTER, "1"));
    state.on_request(answered(LISTENER, ""));
    let none = Response {
        type_url: LISTENER.to_owned(),
        nonce: "2".to_owned(),
        ..Response::default()
    };
    state.on_response(none).unwrap();
    state.on_request(answered(LISTENER, "2"));
    state.on_response(full("3", &["b", "c"])).unwrap();
    state.on_request(answered(CLUSTER, "3"));
    state.settle();
    let names: Vec<_> = state
        .configuration()
        .iter()
        .map(|(_, name, kept)| (&**name, &*kept.version))
        .collect();
    assert_eq!(names, [("b", "3"), ("c", "3")]);
}

#[test]
fn a_response_of_mixed_types_cannot_be_kept() {
    let mut mixed = response(CLUSTER, "1", &["a@1"], &[]);
    mixed.type_url = LISTENER.to_owned();
    let refused = LastGood::default().on_delta_response(mixed).unwrap_err();
    assert!(refused.to_string().contains("among those of type"), "{refused}");
}

#[test]
fn sealed_it_has_the_control_planes_versions() {
    let mut configuration = Configuration::default();
    let kept = Kept {
        version: "00000000deadbeef".to_owned(),
        value: Bytes::from_static(b"content"),
    };
    configuration.put(&CLUSTER.into(), "c".into(), kept);
    let served = configuration.seal().unwrap();
    let version = served.resources(CLUSTER).get("c").unwrap().version();
    assert_eq!(version.to_string(), "00000000deadbeef");
}
