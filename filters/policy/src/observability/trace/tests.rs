use proptest::prelude::*;

use super::*;
use crate::test_view::TestView;

const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const B3: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const NOON: Duration = Duration::from_secs(0x5759_e988);

type Written = Vec<(String, Option<String>)>;

fn formats(accept: &[Format], emit: &[Format]) -> Formats {
    Formats {
        accept: FormatList::try_from(accept.to_vec()).unwrap(),
        emit: FormatList::try_from(emit.to_vec()).unwrap(),
    }
}

fn view(headers: &[(&'static str, &str)]) -> TestView {
    headers.iter().fold(TestView::default(), |view, (name, value)| {
        view.header(name, value.as_bytes())
    })
}

fn decide(formats: Formats, view: &TestView) -> Option<TraceWrites> {
    formats.decide(view, &mut Draws::from_seed(1), || NOON)
}

fn written(writes: &TraceWrites) -> Written {
    let mut written = Vec::new();
    writes.for_each_write(&mut |name, write| {
        let value = match write {
            Write::Set(value) => Some(String::from_utf8(value.to_vec()).unwrap()),
            Write::Remove => None,
            Write::Add(_) => panic!("nothing is added to {name}"),
        };
        written.push((name.to_owned(), value));
    });
    written
}

fn run(accept: &[Format], emit: &[Format], headers: &[(&'static str, &str)]) -> Written {
    decide(formats(accept, emit), &view(headers)).map_or_else(Vec::new, |writes| written(&writes))
}

fn pairs(expected: &[(&str, Option<&str>)]) -> Written {
    expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect()
}

#[test]
fn a_valid_trace_in_the_only_format_costs_one_read() {
    let view = view(&[("traceparent", W3C), ("tracestate", "a=b")]);
    assert_eq!(decide(Formats::W3C, &view), None);
    assert_eq!(view.reads(), ["traceparent"]);
}

#[test]
fn reads_in_the_order_of_preference_and_stops_at_the_first_valid() {
    let formats = formats(&[Format::Xray, Format::W3c, Format::B3], &[Format::W3c]);
    let view = view(&[("x-amzn-trace-id", "Self=1"), ("traceparent", W3C), ("b3", B3)]);
    let writes = decide(formats, &view).unwrap();
    assert_eq!(view.reads(), ["x-amzn-trace-id", "traceparent"]);
    assert_eq!(
        written(&writes),
        pairs(&[("x-amzn-trace-id", None)]),
        "invalid and not emitted: removed"
    );
}

#[test]
fn headers_of_formats_that_are_not_accepted_are_not_read() {
    let view = view(&[("b3", B3), ("traceparent", W3C)]);
    let writes = decide(formats(&[Format::B3], &[Format::W3c]), &view).unwrap();
    assert_eq!(view.reads(), ["b3"]);
    let traceparent = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01";
    let expected = pairs(&[("traceparent", Some(traceparent)), ("tracestate", None)]);
    assert_eq!(
        written(&writes),
        expected,
        "the trace state belonged to the trace that is replaced"
    );
}

#[test]
fn translations_keep_the_ids_and_the_decision() {
    let all = Format::ALL;
    let from_w3c = run(&all, &all, &[("traceparent", W3C)]);
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let b3 = format!("{trace}-{span}-1");
    let xray = format!("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={span};Sampled=1");
    let expected = pairs(&[
        ("b3", Some(&b3)),
        ("x-b3-traceid", Some(trace)),
        ("x-b3-spanid", Some(span)),
        ("x-b3-parentspanid", None),
        ("x-b3-sampled", Some("1")),
        ("x-b3-flags", None),
        ("x-amzn-trace-id", Some(&xray)),
    ]);
    assert_eq!(from_w3c, expected);
}

#[test]
fn a_decision_not_to_sample_reaches_every_format() {
    let emit = [Format::B3, Format::Xray];
    let denied = W3C.replace("-01", "-00");
    let writes = run(&[Format::W3c], &emit, &[("traceparent", &denied)]);
    assert!(writes[0].1.as_deref().unwrap().ends_with("-0"), "{writes:?}");
    assert!(writes[1].1.as_deref().unwrap().ends_with(";Sampled=0"), "{writes:?}");
    let writes = run(&[Format::B3], &[Format::W3c], &[("b3", "0")]);
    assert!(
        writes[0].1.as_deref().unwrap().ends_with("-00"),
        "a new trace of a decision alone: {writes:?}"
    );
}

#[test]
fn the_five_headers_of_b3_are_read_as_one_trace() {
    let headers = [
        ("x-b3-traceid", "e457b5a2e4d86bd1"),
        ("x-b3-spanid", "E457B5A2E4D86BD1"),
        ("x-b3-parentspanid", "05e3ac9a4f6e3b90"),
        ("x-b3-flags", "1"),
    ];
    let writes = run(&[Format::B3Multi], &[Format::B3], &headers);
    let b3 = "0000000000000000e457b5a2e4d86bd1-e457b5a2e4d86bd1-d-05e3ac9a4f6e3b90";
    assert_eq!(writes, pairs(&[("b3", Some(b3))]), "short ids are padded");
    let view = view(&headers);
    assert_eq!(decide(formats(&[Format::B3Multi], &[Format::B3Multi]), &view), None);
    assert_eq!(view.reads(), ["x-b3-traceid", "x-b3-spanid"], "nothing to translate");
}

#[test]
fn the_old_words_for_sampled_are_understood() {
    for (word, flags) in [("true", "-01"), ("false", "-00"), ("0", "-00"), ("maybe", "-01")] {
        let headers = [
            ("x-b3-traceid", "e457b5a2e4d86bd1"),
            ("x-b3-spanid", "e457b5a2e4d86bd1"),
            ("x-b3-sampled", word),
        ];
        let writes = run(&[Format::B3Multi], &[Format::W3c], &headers);
        assert!(writes[0].1.as_deref().unwrap().ends_with(flags), "{word}: {writes:?}");
    }
}

#[test]
fn an_invalid_trace_in_five_headers_goes_with_all_of_them() {
    let headers = [("x-b3-traceid", "e457b5a2e4d86bd1"), ("traceparent", W3C)];
    let writes = run(&[Format::B3Multi, Format::W3c], &[Format::W3c], &headers);
    let names = [
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
    ];
    assert_eq!(writes, pairs(&names.map(|name| (name, None))));
}

#[test]
fn a_load_balancers_root_without_a_span_gets_one() {
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let writes = run(
        &[Format::Xray],
        &[Format::Xray, Format::W3c],
        &[("x-amzn-trace-id", root)],
    );
    let traceparent = writes[0].1.as_deref().unwrap();
    assert!(
        traceparent.starts_with("00-5759e988bd862e3fe1be46a994272793-"),
        "{traceparent}"
    );
    assert!(trace_context::is_valid(traceparent.as_bytes()), "{traceparent}");
    assert_eq!(
        writes[1],
        ("tracestate".to_owned(), None),
        "the load balancer's header stays: {writes:?}"
    );
    assert_eq!(writes.len(), 2);
}

#[test]
fn a_new_trace_of_x_ray_begins_with_the_time() {
    let writes = run(&[Format::Xray], &[Format::Xray, Format::W3c], &[]);
    assert!(writes[0].1.as_deref().unwrap().starts_with("00-5759e988"), "{writes:?}");
    assert!(
        writes[1].1.as_deref().unwrap().starts_with("Root=1-5759e988-"),
        "{writes:?}"
    );
    let without = formats(&[], &[Format::W3c]).decide(&TestView::default(), &mut Draws::from_seed(1), || {
        panic!("the clock is only asked for X-Ray")
    });
    let traceparent = written(&without.unwrap()).swap_remove(0).1.unwrap();
    assert!(trace_context::is_valid(traceparent.as_bytes()), "{traceparent}");
    let mut draws = Draws::from_seed(1);
    let (high, low, span) = (draws.number(), draws.number(), draws.number());
    assert_eq!(traceparent, format!("00-{high:016x}{low:016x}-{span:016x}-01"));
}

#[test]
fn what_x_rays_readers_refuse_is_invalid() {
    for value in [
        "",
        "Root=",
        "Root=2-5759e988-bd862e3fe1be46a994272793",
        "Root=1-5759e988-bd862e3fe1be46a99427279",
        "Root=1-5759e988-bd862e3fe1be46a9942727933",
        "Root=1-00000000-000000000000000000000000",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=2",
        "Parent=53995c3f42cd8ad8;Sampled=1",
    ] {
        assert_eq!(xray::parse(value.as_bytes()), None, "{value}");
    }
    let full = "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8 ;Sampled=?;Lineage=a:1";
    let trace = xray::parse(full.as_bytes()).unwrap();
    assert_eq!(
        (trace.span, trace.sampling),
        (Some(0x5399_5c3f_42cd_8ad8), Sampling::Deferred)
    );
    assert_eq!(xray::parse(XRAY.as_bytes()).unwrap().sampling, Sampling::Accepted);
}

#[test]
fn what_b3_does_not_allow_is_invalid() {
    for value in [
        "",
        "2",
        "80f198ee56343ba864fe8b2a57d3eff7",
        "80f198ee56343ba864fe8b2a57d3eff7-",
        "80f198ee56343ba864fe8b2a57d3eff-e457b5a2e4d86bd1",
        "00000000000000000000000000000000-e457b5a2e4d86bd1",
        "80f198ee56343ba864fe8b2a57d3eff7-0000000000000000",
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-2",
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-1",
        "+0f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1",
    ] {
        assert_eq!(b3::parse(value.as_bytes()), Reading::Invalid, "{value}");
    }
    assert!(matches!(b3::parse(B3.as_bytes()), Reading::Trace(_)));
    assert_eq!(b3::parse(b"d"), Reading::Decision(Sampling::Debug));
}

fn sampling() -> impl Strategy<Value = Sampling> {
    prop_oneof![
        Just(Sampling::Deferred),
        Just(Sampling::Denied),
        Just(Sampling::Accepted),
        Just(Sampling::Debug),
    ]
}

prop_compose! {
    fn trace()(high: u64, low in 1_u64.., span in 1_u64.., parent in proptest::option::of(1_u64..), sampling in sampling()) -> Trace {
        Trace { high, low, span: Some(span), parent, sampling }
    }
}

/// What is left of a trace that was written in a format.
fn in_format(trace: Trace, format: Format) -> Trace {
    let plain = match trace.sampling {
        Sampling::Debug => Sampling::Accepted,
        other => other,
    };
    match format {
        Format::W3c => Trace {
            parent: None,
            sampling: if plain == Sampling::Denied {
                Sampling::Denied
            } else {
                Sampling::Accepted
            },
            ..trace
        },
        Format::Xray => Trace {
            parent: None,
            sampling: plain,
            ..trace
        },
        Format::B3 if plain == Sampling::Deferred => Trace { parent: None, ..trace },
        Format::B3 | Format::B3Multi => trace,
    }
}

/// The trace that a reader of one format finds among written headers.
fn read_back(format: Format, writes: &TraceWrites) -> Reading {
    let mut view = TestView::default();
    writes.for_each_write(&mut |name, write| {
        let known = [
            "traceparent",
            "b3",
            "x-b3-traceid",
            "x-b3-spanid",
            "x-b3-parentspanid",
            "x-b3-sampled",
            "x-b3-flags",
            "x-amzn-trace-id",
        ];
        if let (Write::Set(value), Some(name)) = (write, known.into_iter().find(|known| *known == name)) {
            view = std::mem::take(&mut view).header(name, value);
        }
    });
    // Another emitted format, so that details are worth a read.
    formats(&[format], &Format::ALL).read(&view, format)
}

proptest! {
    #[test]
    fn every_format_reads_what_it_writes(trace in trace()) {
        for format in Format::ALL {
            let mut all = Set::default();
            all.insert(format);
            let writes = TraceWrites { trace, written: all, removed: Set::default(), drops_tracestate: false };
            prop_assert_eq!(read_back(format, &writes), Reading::Trace(in_format(trace, format)));
        }
    }

    #[test]
    fn every_translation_keeps_the_trace_the_span_and_the_decision(trace in trace(), from in 0_usize..4, to in 0_usize..4) {
        let (from, to) = (Format::ALL[from], Format::ALL[to]);
        let mut source = Set::default();
        source.insert(from);
        let incoming = TraceWrites { trace, written: source, removed: Set::default(), drops_tracestate: false };
        let Reading::Trace(read) = read_back(from, &incoming) else { panic!("{from:?} does not read what it wrote") };
        let mut target = Set::default();
        target.insert(to);
        let outgoing = TraceWrites { trace: read, written: target, removed: Set::default(), drops_tracestate: false };
        prop_assert_eq!(read_back(to, &outgoing), Reading::Trace(in_format(in_format(trace, from), to)));
    }

    #[test]
    fn any_bytes_are_a_trace_or_not(value: Vec<u8>, mask: u64, span: Vec<u8>) {
        let mut near: Vec<Vec<u8>> = vec![value];
        for sample in [W3C, B3, XRAY] {
            let mut bytes = sample.as_bytes().to_vec();
            let at = usize::try_from(mask).unwrap_or(usize::MAX) % bytes.len();
            bytes[at] = mask.to_le_bytes()[7];
            near.push(bytes[..].to_vec());
            near.push(bytes[..at].to_vec());
        }
        for value in near {
            let view = TestView::default()
                .header("traceparent", &value).header("b3", &value).header("x-amzn-trace-id", &value)
                .header("x-b3-traceid", &value).header("x-b3-spanid", &span).header("x-b3-sampled", &span);
            for format in Format::ALL {
                let writes = decide(formats(&[format], &Format::ALL), &view).unwrap();
                // Whatever came, what goes on is one valid trace in every format that was written.
                for written in Format::ALL.into_iter().filter(|other| writes.written.contains(*other)) {
                    let is_trace = matches!(read_back(written, &writes), Reading::Trace(trace) if trace.low == writes.trace.low && trace.high == writes.trace.high && trace.span == writes.trace.span);
                    prop_assert!(is_trace, "{:?} from {:?}", written, format);
                }
            }
        }
    }
}
