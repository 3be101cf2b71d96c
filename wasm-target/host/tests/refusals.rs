//! A host that does not let the filter answer: who was to be held back never reaches the target.

mod load;

use ferromesh_wasm_host::{Action, Config, EndOfStream, Engine, Headers, Status, Vm};

const REPLY: &str = "proxy_send_local_response";
const CLOSE: &str = "proxy_close_stream";

/// Sends two requests through `module` with one policy and these refusals; what becomes of the second: the filter's
/// action, and whether its stream was closed.
fn second(module: &str, member: &str, refused: &[&'static str]) -> (Action, bool) {
    let engine = Engine::new().expect("an engine");
    let module = load::module(&engine, module);
    let policy = format!(r#"{{"labels": {{"virtualService": "s", "route": "r"}}, "targets": ["blue"], {member}}}"#);
    let plugin =
        format!(r#"{{"mesh": "m", "node": "n", "reporter": "source", "flushMillis": 1000, "default": {policy}}}"#);
    let config = Config {
        refusals: refused.iter().map(|name| (*name, Status::BadArgument)).collect(),
        ..Config::with_plugin(plugin)
    };
    let mut vm = Vm::start(&module, config).expect("a VM");
    let mut last = None;
    for _ in 0..2 {
        let stream = vm.open_stream().expect("a stream");
        let request = Headers::from([(":method", "GET"), (":path", "/")]);
        let outcome = stream.on_request_headers(&mut vm, request, EndOfStream::Yes);
        let outcome = outcome.expect("no trap");
        assert_eq!(outcome.local_reply, None, "it is refused");
        last = Some((outcome.action, outcome.closed));
        stream.finish(&mut vm).expect("no trap");
    }
    last.expect("two streams")
}

// Without the headers that tell of the limit: the lean module writes none.
const LIMIT: &str =
    r#""rateLimit": {"headers": false, "limits": [{"name": "l", "requests": 1, "windowSeconds": 3600}]}"#;
const ABORT: &str = r#""fault": {"abort": {"status": 418}}"#;

#[test]
fn a_request_over_its_limit_ends_where_it_cannot_be_answered() {
    for module in ["mesh", "mesh-lean", "rate-limit"] {
        assert_eq!(
            second(module, LIMIT, &[REPLY]),
            (Action::Pause, true),
            "{module}: closed"
        );
        assert_eq!(
            second(module, LIMIT, &[REPLY, CLOSE]),
            (Action::Pause, false),
            "{module}: it waits for Envoy to give it up"
        );
    }
}

#[test]
fn a_request_that_was_only_to_go_wrong_on_purpose_goes_on() {
    for module in ["mesh", "fault"] {
        assert_eq!(second(module, ABORT, &[REPLY]), (Action::Continue, false), "{module}");
    }
}
