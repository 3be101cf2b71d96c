//! Requests and responses against header policies: what leaves is what a naive rendering makes of the operations.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place, Routes};
use ferromesh_policy::vectors::{Chance, Choices, Executor, HeaderValue, Headers, Payload, Request, Response};
use serde_json::{json, Value};

use crate::play::{Callback, Play, STREAMS};
use crate::policies::Part;

/// The longest value that a variable's operation writes.
const MAX_RENDERED: usize = 4_096;
const NAMES: [&str; 6] = ["x-user", "x-other", "x-new", "via", "cookie", "set-cookie"];
const TEXTS: [&str; 7] = ["a", "b c", "{{", "}}", "\u{e9}", "\"", ";"];
/// Variables that requests and responses know.
const SHARED: [&str; 12] = [
    "mesh",
    "node",
    "virtualService",
    "route",
    "target",
    "request.id",
    "request.host",
    "request.path",
    "request.method",
    "request.scheme",
    "source.address",
    "source.identity",
];
const LATE: [&str; 2] = ["response.attempts", "response.status"];

const PART: Part = ("headers", part);

/// One input: half of them with anything, half with one policy whose outcome is computed by hand.
pub fn requests(input: &[u8]) {
    match input {
        [first, rest @ ..] if first % 2 == 0 => Play::new(Features::HEADERS, rest).anything_with(PART),
        [_, rest @ ..] => exact(Play::new(Features::HEADERS, rest)),
        [] => {}
    }
}

fn part(choices: &mut Choices<'_>) -> Value {
    let count = |choices: &mut Choices<'_>| choices.of(&[0_usize, 1, 1, 2, 3, 32, 33]);
    let mut side = |late: bool| -> Vec<Value> {
        (0..count(choices))
            .map(|_| match choices.below(16) {
                0 => json!({"set": {"name": odd_name(choices), "value": "a"}}),
                1 => json!({"remove": odd_name(choices)}),
                2 => json!({"add": {"name": "x-new", "value": odd_value(choices)}}),
                _ => Operation::draw(choices, late).json(),
            })
            .collect()
    };
    let (request, response) = (side(false), side(true));
    json!({"request": request, "response": response})
}

fn odd_name(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => "n".repeat(255 + choices.index(2)),
        1 => String::from_utf8_lossy(&choices.bytes(12)).into_owned(),
        _ => choices
            .of(&[
                "host",
                "x-envoy-max-retries",
                "x-ferromesh-pick",
                ":path",
                "te",
                "X-Up",
                "a b",
                "content-length",
            ])
            .to_owned(),
    }
}

fn odd_value(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => "v".repeat(4_096 + choices.index(2)),
        1 => String::from_utf8_lossy(&choices.bytes(24)).into_owned(),
        _ => choices
            .of(&[
                "{",
                "}",
                "{}",
                "{unknown}",
                "{mesh",
                "{{mesh}",
                "a\r\nb: c",
                "{response.status}",
                "",
            ])
            .to_owned(),
    }
}

enum Operation {
    Set(&'static str, Vec<Piece>),
    Add(&'static str, Vec<Piece>),
    Remove(&'static str),
}

#[derive(Clone, Copy)]
enum Piece {
    Text(&'static str),
    Variable(&'static str),
}

impl Operation {
    fn draw(choices: &mut Choices<'_>, late: bool) -> Self {
        let name = choices.of(&NAMES);
        let mut pieces = || -> Vec<Piece> {
            (0..=choices.below(4))
                .map(|_| match choices.below(3) {
                    0 => Piece::Text(choices.of(&TEXTS)),
                    1 if late => Piece::Variable(choices.of(&LATE)),
                    _ => Piece::Variable(choices.of(&SHARED)),
                })
                .collect()
        };
        let pieces = pieces();
        match choices.below(4) {
            0 => Self::Remove(name),
            1 => Self::Add(name, pieces),
            _ => Self::Set(name, pieces),
        }
    }

    fn json(&self) -> Value {
        let field = |name: &str, pieces: &[Piece]| {
            let value: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => (*text).to_owned(),
                    Piece::Variable(name) => format!("{{{name}}}"),
                })
                .collect();
            json!({"name": name, "value": value})
        };
        match self {
            Self::Set(name, pieces) => json!({"set": field(name, pieces)}),
            Self::Add(name, pieces) => json!({"add": field(name, pieces)}),
            Self::Remove(name) => json!({"remove": name}),
        }
    }

    /// Carries itself out.
    fn apply(&self, headers: &mut Headers, value_of: impl Fn(&str) -> Vec<u8>) {
        let render = |pieces: &[Piece]| {
            let mut value = Vec::new();
            let mut is_text = true;
            for piece in pieces {
                match piece {
                    Piece::Text(text) => value.extend(text.replace("{{", "{").replace("}}", "}").bytes()),
                    Piece::Variable(name) => {
                        is_text = false;
                        // What ends or hides a line is left out.
                        value.extend(value_of(name).into_iter().filter(|byte| !byte.is_ascii_control()));
                    }
                }
            }
            if !is_text {
                value.truncate(MAX_RENDERED);
            }
            value
        };
        let (name, value) = match self {
            Self::Remove(name) => (name, Vec::new()),
            Self::Set(name, pieces) | Self::Add(name, pieces) => (name, render(pieces)),
        };
        if !matches!(self, Self::Add(..)) {
            headers.retain(|(header, _)| header != name);
        }
        if !value.is_empty() {
            headers.push(((*name).to_owned(), HeaderValue(value)));
        }
    }
}

/// What one stream's variables stand for.
struct Stream<'r> {
    request: Request,
    response: Option<&'r Response>,
    target: &'static str,
}

impl Stream<'_> {
    fn value(&self, variable: &str) -> Vec<u8> {
        let first = |headers: &Headers, name: &str| {
            let found = headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.0.clone()).unwrap_or_default()
        };
        let of_request = |name| first(&self.request.headers, name);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match variable {
            "mesh" => b"m".to_vec(),
            "node" => b"n".to_vec(),
            "virtualService" => b"v".to_vec(),
            "route" => b"r".to_vec(),
            "target" => self.target.into(),
            "request.id" => of_request("x-request-id"),
            "request.host" => of_request(":authority"),
            "request.path" => of_request(":path"),
            "request.method" => of_request(":method"),
            "request.scheme" => of_request(":scheme"),
            "source.address" => {
                let source = text(&self.request.source);
                let address = source.rsplit_once(':').map_or(source.as_str(), |(address, _)| address);
                address.into()
            }
            "source.identity" => text(&self.request.identity).into_bytes(),
            "response.attempts" => {
                let attempts = self.response.and_then(|response| response.attempts);
                attempts
                    .map(|attempts| attempts.min(u32::MAX.into()).to_string())
                    .unwrap_or_default()
                    .into()
            }
            _ => self
                .response
                .map(|response| first(&response.headers, ":status"))
                .unwrap_or_default(),
        }
    }
}

fn exact(mut play: Play<'_>) {
    let mut draw = |late| -> Vec<Operation> {
        (0..=play.choices.below(4))
            .map(|_| Operation::draw(&mut play.choices, late))
            .collect()
    };
    let (on_request, on_response) = (draw(false), draw(true));
    let json = |operations: &[Operation]| operations.iter().map(Operation::json).collect::<Vec<Value>>();
    let (targets, target) = play.choices.of(&[(&["a"][..], "a"), (&["a", "b"][..], "")]);
    let policy = Payload(
        json!({
            "labels": {"virtualService": "v", "route": "r"},
            "targets": targets,
            "headers": {"request": json(&on_request), "response": json(&on_response)},
        })
        .to_string()
        .into_bytes(),
    );
    play.configure(crate::play::PLUGIN);
    let routes = Routes::bare();
    let mut streams: [Option<(Stream<'_>, bool)>; STREAMS] = [const { None }; STREAMS];
    while let Some(callback) = play.next() {
        match callback {
            Callback::Configure => drop(play.configure(crate::play::PLUGIN)),
            Callback::Tick => play.filter.tick(play.now),
            Callback::Resume(stream) => assert_eq!(play.resume(stream), None),
            Callback::Request(stream) => {
                // What the host shows of one stream does not change.
                let request = match &streams[stream] {
                    Some((met, _)) => met.request.clone(),
                    None => Request {
                        route: Some("r#1".to_owned()),
                        policy: Some(policy.clone()),
                        ..generate::request(&mut play.choices, &routes, Place::Virtual)
                    },
                };
                let outcome = play.request(stream, &request);
                // The filter decides about each stream once.
                let mut expected = request.headers.clone();
                if streams[stream].is_none() {
                    let met = Stream {
                        request,
                        response: None,
                        target,
                    };
                    on_request
                        .iter()
                        .for_each(|operation| operation.apply(&mut expected, |name| met.value(name)));
                    streams[stream] = Some((met, false));
                }
                assert_eq!(outcome.headers, expected);
            }
            Callback::Response(stream) => {
                let mut response = generate::response(&mut play.choices, &routes, Place::Virtual);
                // Once told, the host goes on telling it.
                response.attempts.get_or_insert(1);
                let mut expected = response.headers.clone();
                if let Some((met, responded @ false)) = &mut streams[stream] {
                    *responded = true;
                    let met = Stream {
                        request: met.request.clone(),
                        response: Some(&response),
                        target,
                    };
                    on_response
                        .iter()
                        .for_each(|operation| operation.apply(&mut expected, |name| met.value(name)));
                }
                let headers = play.response_headers(stream, &response);
                assert_eq!(headers, expected);
            }
            Callback::End(stream) => {
                play.end(stream);
                streams[stream] = None;
            }
        }
    }
}
