//! The numbers of ABI 0.2.1.

/// What a hostcall answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such header, property, key, metric or function.
    NotFound = 1,
    /// An argument out of its range, or a thing that this context does not have.
    BadArgument = 2,
    /// A value could not be serialised.
    SerializationFailure = 3,
    /// A value could not be parsed.
    ParseFailure = 4,
    /// A pointer or a length leaves the guest's memory.
    InvalidMemoryAccess = 6,
    /// Nothing there.
    Empty = 7,
    /// The shared value was changed by somebody else since it was read.
    CasMismatch = 8,
    /// The host failed.
    InternalFailure = 10,
    /// The host does not have this.
    Unimplemented = 12,
}

/// What a filter wants done with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Go on to the next filter.
    Continue,
    /// Wait until the filter says otherwise.
    Pause,
}

impl Action {
    /// Envoy takes everything but 0 for a pause.
    pub(crate) fn from_number(number: u32) -> Self {
        if number == 0 {
            Self::Continue
        } else {
            Self::Pause
        }
    }
}

/// The maps of headers that a hostcall can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MapType {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    HttpCallResponseHeaders,
    HttpCallResponseTrailers,
}

impl MapType {
    /// gRPC metadata (4 and 5) do not exist here, as gRPC calls don't.
    pub(crate) fn from_number(number: u32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            6 => Self::HttpCallResponseHeaders,
            7 => Self::HttpCallResponseTrailers,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// The buffers that a hostcall can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BufferType {
    RequestBody,
    ResponseBody,
    HttpCallResponseBody,
    VmConfiguration,
    PluginConfiguration,
    CallData,
}

impl BufferType {
    pub(crate) fn from_number(number: u32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            4 => Self::HttpCallResponseBody,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            8 => Self::CallData,
            _ => return Err(Status::BadArgument),
        })
    }
}
