//! What was decided about a request, for Envoy's own access logs.
//!
//! One property holds all of it, as JSON in one line; Envoy keeps what a module sets as filter state with the prefix
//! `wasm.`, so that a log's format names it with [`FORMAT`]. In Envoy's `json_format` it is a string that holds JSON;
//! a text format can have it as it is: `"ferromesh":%FILTER_STATE(wasm.ferromesh:PLAIN)%` (`-` where nothing was set).

use super::text::Text;

/// The property to set, at the end of the stream: Envoy's access logs come after the filters'.
pub const PROPERTY: &str = "ferromesh";
/// What names it in an access log's format.
pub const FORMAT: &str = "%FILTER_STATE(wasm.ferromesh:PLAIN)%";
/// The longest value, in bytes.
pub const CAPACITY: usize = 1_024;
/// Bytes of one name, escaped: two of them and the rest fit [`CAPACITY`].
const MAX_NAME: usize = 440;

/// What is told of a request. What is not known is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessLog<'p> {
    /// The route's label.
    pub route: &'p [u8],
    /// The target's name.
    pub target: Option<&'p [u8]>,
    /// By what the target was picked: `weight`, `sticky`, `override`, `ramp` or `rollback`.
    pub by: Option<&'static str>,
    /// Attempts, the first included.
    pub attempts: Option<u32>,
    /// Whether a limit refused the request.
    pub limited: bool,
}

impl AccessLog<'_> {
    /// The value: `{"route":"r1","target":"blue","by":"weight","attempts":2,"limited":true}`.
    #[must_use]
    pub fn render<'b>(&self, buffer: &'b mut [u8; CAPACITY]) -> &'b [u8] {
        let mut text = Text::new(buffer);
        let names = [
            (&b"{\"route\":\""[..], Some(self.route)),
            (b",\"target\":\"", self.target),
            (b",\"by\":\"", self.by.map(str::as_bytes)),
        ];
        for (key, name) in names {
            if let Some(name) = name {
                text.push(key);
                text.push_escaped(name, MAX_NAME);
                text.push(b"\"");
            }
        }
        if let Some(attempts) = self.attempts {
            text.push(b",\"attempts\":");
            text.push_decimal(u64::from(attempts));
        }
        if self.limited {
            text.push(b",\"limited\":true");
        }
        text.push(b"}");
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tells_what_is_known_in_one_line_of_json() {
        let mut log = AccessLog {
            route: b"r1",
            ..AccessLog::default()
        };
        assert_eq!(log.render(&mut [0; CAPACITY]), br#"{"route":"r1"}"#);
        log = AccessLog {
            target: Some(b"blue"),
            by: Some("weight"),
            attempts: Some(2),
            limited: true,
            ..log
        };
        let full = br#"{"route":"r1","target":"blue","by":"weight","attempts":2,"limited":true}"#;
        assert_eq!(log.render(&mut [0; CAPACITY]), full);
    }

    #[test]
    fn the_longest_value_fits() {
        let log = AccessLog {
            route: &[b'"'; 300],
            target: Some(&[0xff; 300]),
            by: Some("rollback"),
            attempts: Some(u32::MAX),
            limited: true,
        };
        let mut buffer = [0; CAPACITY];
        let value: serde_json::Value = serde_json::from_slice(log.render(&mut buffer)).unwrap();
        assert_eq!(value["route"], "\"".repeat(MAX_NAME / 6));
        assert_eq!(value["attempts"], u32::MAX);
        assert_eq!(value["limited"], true);
    }

    proptest! {
        #[test]
        fn any_names_make_one_line_of_json(route: Vec<u8>, target: Option<Vec<u8>>, attempts: Option<u32>, limited: bool) {
            let log = AccessLog { route: &route, target: target.as_deref(), by: Some("sticky"), attempts, limited };
            let mut buffer = [0; CAPACITY];
            let text = log.render(&mut buffer);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok());
            prop_assert!(!text.contains(&b'\n'));
        }
    }
}
