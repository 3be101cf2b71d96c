//! The gRPC status of a request, as a label.

/// How many statuses gRPC knows.
const KNOWN: u64 = 17;
const UNKNOWN: u8 = 2;

/// How a gRPC request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrpcStatus(Option<u8>);

impl GrpcStatus {
    /// The property `response.grpc_status` at the end of the stream: 8 bytes, little endian, from the trailers, from
    /// headers that are trailers too, or by the HTTP status. Statuses that gRPC does not know are unknown (2), as
    /// its clients take them.
    #[must_use]
    pub fn of_property(value: Option<&[u8]>) -> Self {
        let code = value.and_then(super::number);
        Self(code.map(|code| match u8::try_from(code) {
            Ok(known) if code < KNOWN => known,
            _ => UNKNOWN,
        }))
    }

    /// The label's value: the number, or `none` for a stream that ended without a status.
    #[must_use]
    pub fn label(self) -> &'static str {
        const LABELS: [&str; 17] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        ];
        let code = self.0.and_then(|code| LABELS.get(usize::from(code)));
        code.copied().unwrap_or("none")
    }

    /// The number, where there is a status.
    #[must_use]
    pub fn code(self) -> Option<u32> {
        self.0.map(u32::from)
    }

    /// A number from 1 to 18; 0 is left for what is not gRPC.
    pub(super) fn index(self) -> usize {
        self.0.map_or(1, |code| usize::from(code) + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_their_numbers_and_unknown_ones_are_unknown() {
        let label = |code: i64| GrpcStatus::of_property(Some(&code.to_le_bytes())).label();
        assert_eq!([label(0), label(14), label(16)], ["0", "14", "16"]);
        assert_eq!([label(17), label(258), label(-1)], ["2"; 3]);
        for absent in [None, Some(&b""[..]), Some(b"14")] {
            assert_eq!(GrpcStatus::of_property(absent).label(), "none");
        }
    }

    #[test]
    fn every_status_has_its_own_index() {
        let codes = (0..17_u64).map(|code| GrpcStatus::of_property(Some(&code.to_le_bytes())).index());
        assert!([0, 1].into_iter().chain(codes).eq([0, 1].into_iter().chain(2..19)));
        assert_eq!(GrpcStatus::default().index(), 1);
    }
}
