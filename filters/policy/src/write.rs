//! What becomes of one header.

/// A write to a header, as a value: the adaptor carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// All its values are replaced by this one.
    Set(&'a [u8]),
    /// This value is added to those that are there.
    Add(&'a [u8]),
    /// It goes.
    Remove,
}
