//! The last good configuration on disk: whole and ours, or not there.
//!
//! ```text
//! "FMGOOD\r\n"  format (u32, big endian)
//! Head      who it is of, when it was good, how many resources follow   each with its length before it (protobuf)
//! Resource  type, name, version, content                                …
//! SHA-256 of everything before
//! ```
//!
//! It is written beside its place, brought to the disk and then renamed, so that whoever is killed meanwhile leaves what
//! was there before. The folder has mode 0700 and the file 0600: it holds the private keys that Envoy was given.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Buf, Bytes};
use ferromesh_xds::type_url;
use prost::Message;
use sha2::{Digest, Sha256};

use super::configuration::{Configuration, Kept};

const MAGIC: &[u8; 8] = b"FMGOOD\r\n";
/// Raised when an older program could misread what a newer one writes.
const FORMAT: u32 = 1;
const CHECKSUM: usize = 32;

/// What is kept at most, in memory and on disk, in bytes. A proxy of a large mesh has a few MiB.
pub const SIZE_LIMIT: usize = 256 << 20;

/// Whose configuration it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Whose it is.
    pub owner: Owner,
    /// When Envoy acknowledged the last of it.
    pub good_at: SystemTime,
    /// The resources.
    pub configuration: Configuration,
}

/// Which resources are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// All of them.
    #[default]
    Kept,
    /// All but certificates and keys (SDS).
    LeftOut,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is none of ours, or not whole.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// Another program wrote it.
    #[error("it has format {0}, and this program reads format {FORMAT}")]
    Format(u32),
    /// It is of another proxy.
    #[error("it is of node {:?} in cluster {:?}", .0.id, .0.cluster)]
    Foreign(Owner),
}

#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    node_id: String,
    #[prost(string, tag = "2")]
    node_cluster: String,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(uint64, tag = "3")]
    good_at_millis: u64,
    #[prost(uint64, tag = "4")]
    resources: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    version: String,
    #[prost(bytes = "bytes", tag = "4")]
    value: Bytes,
}

/// Writes an image as a whole and brings it to the disk.
///
/// # Errors
/// What the system says. The file that was there before is then still there.
pub fn write(path: &Path, image: &Image, secrets: Secrets) -> io::Result<()> {
    let begun = beside(path, "new");
    match std::fs::remove_file(&begun) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&begun)?;
    let mut output = Summed {
        file: BufWriter::with_capacity(64 << 10, file),
        sum: Sha256::new(),
    };
    encode(&mut output, image, secrets)?;
    let checksum = output.sum.finalize();
    output.file.write_all(&checksum)?;
    let file = output.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&begun, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn encode(output: &mut impl Write, image: &Image, secrets: Secrets) -> io::Result<()> {
    let is_written = |url: &str| secrets == Secrets::Kept || url != type_url::SECRET;
    let written = || image.configuration.iter().filter(|(url, ..)| is_written(url));
    output.write_all(MAGIC)?;
    output.write_all(&FORMAT.to_be_bytes())?;
    let since = image.good_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = Head {
        node_id: image.owner.id.clone(),
        node_cluster: image.owner.cluster.clone(),
        good_at_millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        resources: written().count() as u64,
    };
    output.write_all(&head.encode_length_delimited_to_vec())?;
    for (url, name, kept) in written() {
        let resource = Resource {
            type_url: url.to_string(),
            name: name.to_string(),
            version: kept.version.clone(),
            value: kept.value.clone(),
        };
        output.write_all(&resource.encode_length_delimited_to_vec())?;
    }
    Ok(())
}

/// Reads what belongs to `owner`; `None`: there is no file.
///
/// # Errors
/// [`Unusable`].
pub fn read(path: &Path, owner: &Owner) -> Result<Option<Image>, Unusable> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Names, lengths and checksum come on top of what is counted.
    let limit = 2 * SIZE_LIMIT as u64;
    if file.metadata()?.len() > limit {
        return Err(Unusable::Damaged("it is larger than any that is written"));
    }
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(limit).read_to_end(&mut bytes)?;
    let image = decode(bytes)?;
    if image.owner != *owner {
        return Err(Unusable::Foreign(image.owner));
    }
    Ok(Some(image))
}

fn decode(bytes: Vec<u8>) -> Result<Image, Unusable> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(Unusable::Damaged("it does not begin as such a file does"));
    };
    let Some((format, _)) = rest.split_first_chunk::<4>() else {
        return Err(Unusable::Damaged("it is cut"));
    };
    let Some((summed, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else {
        return Err(Unusable::Damaged("it is cut"));
    };
    if Sha256::digest(summed)[..] != checksum[..] {
        return Err(Unusable::Damaged("its checksum is another"));
    }
    let format = u32::from_be_bytes(*format);
    if format != FORMAT {
        return Err(Unusable::Format(format));
    }
    let ends = summed.len();
    let mut body = Bytes::from(bytes);
    body.truncate(ends);
    body.advance(MAGIC.len() + size_of::<u32>());
    let cannot = |_| Unusable::Damaged("it cannot be decoded");
    let head = Head::decode_length_delimited(&mut body).map_err(cannot)?;
    let mut configuration = Configuration::default();
    for _ in 0..head.resources {
        let resource = Resource::decode_length_delimited(&mut body).map_err(cannot)?;
        // A copy, so that the last resource of an old file does not hold all of it.
        let value = Bytes::copy_from_slice(&resource.value);
        let kept = Kept {
            version: resource.version,
            value,
        };
        configuration.put(&resource.type_url.into(), resource.name.into(), kept);
    }
    if body.has_remaining() {
        return Err(Unusable::Damaged("there is more than it says"));
    }
    Ok(Image {
        owner: Owner {
            id: head.node_id,
            cluster: head.node_cluster,
        },
        good_at: UNIX_EPOCH + Duration::from_millis(head.good_at_millis.min(MAX_MILLIS)),
        configuration,
    })
}

/// The end of the year 9999: what any clock type can hold.
const MAX_MILLIS: u64 = 253_402_300_799_000;

/// Puts a file that is not used out of the way, where it can be looked at; gives its new name.
///
/// # Errors
/// What the system says.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = beside(path, "unusable");
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// A file, and the sum of what was written to it.
struct Summed {
    file: BufWriter<File>,
    sum: Sha256,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
