//! The same headers over HTTP/2, at the same ports: Envoy tells the versions apart by their first bytes.

use ferromesh_integration::{full, hostile::Request, upstream::Faults};

use super::forms::RESERVED;
use super::place::Place;

/// In what form a header is written in HTTP/2, where names are lower case and no header belongs to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Duplicate,
    Underscores,
    UpperCase,
    ConnectionNominated,
    Trailer,
    /// Beside the address of somebody else.
    ForwardedFor,
}

const FORMS: [Form; 7] = [
    Form::Plain,
    Form::Duplicate,
    Form::Underscores,
    Form::UpperCase,
    Form::ConnectionNominated,
    Form::Trailer,
    Form::ForwardedFor,
];

/// Envoy keeps a connection that it refuses open for a second: with the reduced size so many headers are enough of each
/// refused form, because what refuses them does not look at their names.
const REFUSED: usize = 3;

type Field = (Vec<u8>, Vec<u8>);

fn field(name: &str, value: &str) -> Field {
    (name.into(), value.into())
}

impl Form {
    fn request(self, (name, value): (&str, &str)) -> Request {
        let plain = field(name, value);
        let headers = match self {
            Self::Plain => vec![plain],
            Self::Duplicate => vec![plain.clone(), plain],
            Self::Underscores => vec![field(&name.replace('-', "_"), value)],
            Self::UpperCase => vec![field(&name.to_uppercase(), value)],
            Self::ConnectionNominated => vec![plain, field("connection", name)],
            Self::Trailer => return with_trailer(plain),
            Self::ForwardedFor => vec![
                plain,
                field("x-forwarded-for", "10.9.9.9"),
                field("x-forwarded-for", "10.8.8.8, 127.0.0.1"),
            ],
        };
        Request {
            headers,
            ..Request::get("/", &[])
        }
    }

    /// Whether Envoy must not let such a request in: names with upper case and headers of a connection are malformed
    /// (RFC 9113, 8.2), names with underscores are refused by what we configure.
    fn is_refused(self) -> bool {
        matches!(self, Self::Underscores | Self::UpperCase | Self::ConnectionNominated)
    }

    /// Whether the status says so: 200, or a refusal with 400 or without an answer.
    fn fits(self, status: Option<u16>) -> bool {
        if self.is_refused() {
            matches!(status, None | Some(400))
        } else {
            status == Some(200)
        }
    }
}

fn with_trailer(trailer: Field) -> Request {
    Request {
        method: "PUT",
        body: Some(b"body".to_vec()),
        trailers: vec![trailer],
        ..Request::get("/", &[])
    }
}

impl Place<'_> {
    /// What [`Place::assert_all`] asserts of HTTP/1.1, of HTTP/2.
    pub(super) fn assert_all_http2(&self) {
        self.assert_nothing_arrives_http2();
        self.assert_target_http2();
        self.assert_attempts_http2();
    }

    fn assert_nothing_arrives_http2(&self) {
        // Longer than the timeouts that clients ask for.
        self.inject(Faults {
            delay_millis: 30,
            ..Faults::default()
        });
        self.forget();
        assert_eq!((self.ask_http2)(Request::get("/", &[])), Some(200), "{}", self.name);
        let usual = self.seen().pop().expect("a plain request").headers;
        let refused = full(REFUSED, RESERVED.len());
        for (number, header) in RESERVED.iter().enumerate() {
            for form in FORMS {
                if form.is_refused() && number >= refused {
                    continue;
                }
                let what = format!("{}: HTTP/2: {} {form:?}", self.name, header.0);
                self.forget();
                let status = (self.ask_http2)(form.request(*header));
                assert!(form.fits(status), "{what}: {status:?}");
                assert_eq!(self.attempts(), u64::from(!form.is_refused()), "{what}: attempts");
                self.assert_absent(*header, &usual, &what);
            }
        }
        self.inject(Faults::default());
    }

    /// The target is drawn as if the header were not there.
    fn assert_target_http2(&self) {
        let Some(second) = self.second else { return };
        for form in FORMS {
            self.forget();
            let asked = || (self.ask_http2)(form.request(("x-ferromesh-pick", "85")));
            let times = if form.is_refused() { REFUSED } else { 40 };
            let answered = (0..times).filter(|_| asked() == Some(200)).count();
            let chosen = second.counts().requests;
            // 30 % are due; more than 30 of 40 are no accident once in 10^9 runs.
            assert!(
                chosen <= 30 && answered == if form.is_refused() { 0 } else { times },
                "{}: HTTP/2: {form:?}: {chosen} of {answered}",
                self.name
            );
        }
    }

    /// A request that fails is tried as often as the route says.
    fn assert_attempts_http2(&self) {
        self.inject(Faults {
            percent: 100.0,
            status: 503,
            ..Faults::default()
        });
        for header in RESERVED.iter().filter(|(name, _)| name.starts_with("x-envoy-")) {
            for form in [Form::Plain, Form::Duplicate, Form::Trailer] {
                self.forget();
                (self.ask_http2)(form.request(*header));
                let attempts = self.attempts();
                let what = format!("{}: HTTP/2: {} {form:?}: {attempts} attempts", self.name, header.0);
                assert!((1..=self.attempts).contains(&attempts), "{what}");
            }
        }
        // All of them at once.
        self.forget();
        let all: Vec<(String, String)> = RESERVED
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        (self.ask_http2)(Request::get("/", &all));
        let attempts = self.attempts();
        assert!(
            (1..=self.attempts).contains(&attempts),
            "{}: HTTP/2: all at once: {attempts} attempts",
            self.name
        );
        self.inject(Faults::default());
    }
}
