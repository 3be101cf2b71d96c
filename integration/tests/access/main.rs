//! Who may do what, with the real aws CLI and boto3 and the built binary: signatures, tokens, keys that change, and the record
//! of it all.

mod door;
mod kill;
mod signatures;
