//! Files with private keys: whole or not there, and nobody's but their owner's.

use std::{
    fs::{DirBuilder, File},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use super::AuthorityError;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |source| AuthorityError::File { action, path, source }
}

/// Makes a folder that only its owner can enter.
pub fn make_folder(path: &Path) -> Result<(), AuthorityError> {
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("make", path))
}

/// What is in a file; `None` where there is none. Refuses a file that others may read or write.
pub fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(AuthorityError::Exposed { path, mode });
    }
    std::fs::read_to_string(path).map(Some).map_err(failed("read", path))
}

/// Writes a file as a whole: after a crash there is the old content or the new one. `mode` holds from the first byte on.
pub fn write(path: &Path, content: &str, mode: u32) -> Result<(), AuthorityError> {
    // The parent of a bare name is empty.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(failed("write", path))
}
