//! The part of etcd's protocol (v3, package `etcdserverpb`) that the store speaks, written by hand so that no build needs
//! `protoc`. Field numbers are those of etcd's `rpc.proto` and `kv.proto`, which etcd never changes.

use prost::{Message, Oneof};

/// What every answer begins with.
#[derive(Clone, PartialEq, Message)]
pub struct Header {
    #[prost(uint64, tag = "1")]
    pub cluster: u64,
    /// Revision of the whole key space when the answer was made.
    #[prost(int64, tag = "3")]
    pub revision: i64,
}

/// A key with its value.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub created: i64,
    #[prost(int64, tag = "3")]
    pub modified: i64,
    #[prost(bytes = "vec", tag = "5")]
    pub value: Vec<u8>,
}

/// A read of a key, or of the keys in `[key, end)`.
#[derive(Clone, PartialEq, Message)]
pub struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub end: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub limit: i64,
    /// 0 reads the newest.
    #[prost(int64, tag = "4")]
    pub revision: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct RangeResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    #[prost(message, repeated, tag = "2")]
    pub values: Vec<KeyValue>,
    #[prost(bool, tag = "3")]
    pub more: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DeleteRangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub end: Vec<u8>,
}

/// One step of a transaction.
#[derive(Clone, PartialEq, Message)]
pub struct RequestOp {
    #[prost(oneof = "Request", tags = "2, 3, 4")]
    pub request: Option<Request>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Request {
    #[prost(message, tag = "2")]
    Put(PutRequest),
    #[prost(message, tag = "3")]
    Delete(DeleteRangeRequest),
    #[prost(message, tag = "4")]
    Txn(TxnRequest),
}

/// What must hold for a transaction.
#[derive(Clone, PartialEq, Message)]
pub struct Compare {
    /// [`EQUAL`] or [`LESS`].
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// [`MODIFIED`].
    #[prost(int32, tag = "2")]
    pub target: i32,
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// In etcd a `oneof` with other targets: on the wire the same.
    #[prost(int64, optional, tag = "6")]
    pub modified: Option<i64>,
    #[prost(bytes = "vec", tag = "64")]
    pub end: Vec<u8>,
}

/// `Compare.result`: is equal.
pub const EQUAL: i32 = 0;
/// `Compare.result`: is less.
pub const LESS: i32 = 2;
/// `Compare.target`: revision of the last write, 0 of a key that is not there.
pub const MODIFIED: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    pub compares: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TxnResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct WatchRequest {
    #[prost(message, optional, tag = "1")]
    pub create: Option<WatchCreate>,
}

#[derive(Clone, PartialEq, Message)]
pub struct WatchCreate {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub end: Vec<u8>,
    /// First revision whose events are sent.
    #[prost(int64, tag = "3")]
    pub from: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct WatchResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    #[prost(bool, tag = "3")]
    pub created: bool,
    #[prost(bool, tag = "4")]
    pub cancelled: bool,
    /// Not 0: events before this revision are gone.
    #[prost(int64, tag = "5")]
    pub compacted: i64,
    #[prost(string, tag = "6")]
    pub reason: String,
    /// Whole revisions: etcd does not split one unless asked to.
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
}

/// A key that was written or removed.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// [`REMOVED`], or 0.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub value: Option<KeyValue>,
}

/// `Event.kind` of a key that was removed.
pub const REMOVED: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub password: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    pub token: String,
}

/// The first key after all that begin with `prefix`: the end of its range. A NUL stands for "no end".
pub fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_of_its_length() {
        assert_eq!(end_of(b"/a/"), b"/a0");
        assert_eq!(end_of(&[1, 0xff]), [2]);
        assert_eq!(end_of(&[0xff]), [0]);
    }
}
