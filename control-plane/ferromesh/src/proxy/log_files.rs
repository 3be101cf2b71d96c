//! Envoy's log in files that are turned over: `APPNET_ENVOY_LOG_DESTINATION` and what goes with it.
//!
//! Envoy writes the file itself and opens it anew when it is told to, so that a full pipe or a slow reader never holds up
//! its main thread. Without a destination it logs to standard error, as ever.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{admin::Admin, environment::Environment};

/// How often the size is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

const MIB: f64 = 1_048_576.0;

/// The files, and how much is kept in them.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFiles {
    /// The one that is written; older ones have `.1`, `.2` and so on after its name.
    path: PathBuf,
    /// A file that has become larger is turned over. Bytes.
    max_bytes: u64,
    /// Older files that are kept.
    older: u64,
}

impl LogFiles {
    /// Reads the variables; `None`: Envoy logs to standard error.
    pub(super) fn read(env: &mut Environment) -> Option<Self> {
        const FOLDER: &str = "APPNET_ENVOY_LOG_DESTINATION";
        const NAME: &str = "APPNET_ENVOY_LOG_NAME";
        const SIZE: &str = "APPNET_AGENT_MAX_LOG_FILE_SIZE";
        const OLDER: &str = "APPNET_AGENT_MAX_RETENTION_COUNT";

        let folder = env.text(FOLDER);
        let name = env.text(NAME);
        let size = env.text(SIZE);
        let is_anything_else = name.is_some() || size.is_some() || env.text(OLDER).is_some();
        let name = name.unwrap_or_else(|| "envoy.log".to_owned());
        if name.contains('/') || name == "." || name == ".." {
            env.problem(format!("{NAME} is {name:?}: expected the name of a file in {FOLDER}"));
        }
        let mib = match size.as_deref().map(str::parse::<f64>) {
            None => 1.0,
            Some(Ok(mib)) if (0.01..=10_000.0).contains(&mib) => mib,
            Some(_) => {
                let size = size.unwrap_or_default();
                env.problem(format!("{SIZE} is {size:?}: expected MiB from 0.01 to 10000"));
                1.0
            }
        };
        let older = env.number(OLDER, 5, 0..=1_000);
        let Some(folder) = folder else {
            if is_anything_else {
                env.warn(format!(
                    "{NAME}, {SIZE} and {OLDER} have no effect without {FOLDER}: Envoy logs to standard error"
                ));
            }
            return None;
        };
        // At most 10,000 MiB, and not negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let max_bytes = (mib * MIB) as u64;
        Some(Self {
            path: Path::new(&folder).join(name),
            max_bytes,
            older,
        })
    }

    /// The file that Envoy writes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, which Envoy does not.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), fs::create_dir_all)
    }

    /// Turns files over for as long as it is let.
    pub(super) async fn keep(self, admin: Admin) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let files = self.clone();
            // A panic in it has been printed, and costs one look.
            let Ok(turned) = tokio::task::spawn_blocking(move || files.turn_over()).await else {
                continue;
            };
            match turned {
                Ok(false) => {}
                // Until it has opened the new one, Envoy goes on with the old file under its new name: nothing is lost.
                Ok(true) => match admin.post("/reopen_logs").await {
                    Ok(answer) if answer.status.is_success() => {}
                    Ok(answer) => tracing::warn!(status = %answer.status, "envoy does not open its log anew"),
                    Err(error) => tracing::warn!(%error, "envoy does not open its log anew"),
                },
                Err(error) => tracing::warn!(%error, file = %self.path.display(), "envoy's log cannot be turned over"),
            }
        }
    }

    /// Renames the files if the one that is written is too large; whether Envoy has to open another, as also after a time
    /// at which it did not.
    fn turn_over(&self) -> io::Result<bool> {
        let size = match fs::metadata(&self.path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.numbered(1).exists()),
            Err(error) => return Err(error),
        };
        if size <= self.max_bytes {
            return Ok(false);
        }
        if self.older == 0 {
            fs::remove_file(&self.path)?;
            return Ok(true);
        }
        for number in (1..self.older).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        Ok(true)
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<(Option<LogFiles>, Vec<String>), Vec<String>> {
        let look_up = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut env = Environment::new(&look_up);
        let files = LogFiles::read(&mut env);
        env.finish().map(|warnings| (files, warnings))
    }

    #[test]
    fn a_destination_is_enough_and_the_rest_without_one_is_said_to_do_nothing() {
        assert_eq!(read(&[]), Ok((None, Vec::new())));
        let (files, warnings) = read(&[("APPNET_ENVOY_LOG_DESTINATION", "/var/log/envoy")]).unwrap();
        let expected = LogFiles {
            path: "/var/log/envoy/envoy.log".into(),
            max_bytes: 1 << 20,
            older: 5,
        };
        assert_eq!((files, warnings.len()), (Some(expected), 0));
        let (files, warnings) = read(&[("APPNET_AGENT_MAX_LOG_FILE_SIZE", "2.5")]).unwrap();
        assert_eq!((files, warnings.len()), (None, 1));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_range() {
        let folder = ("APPNET_ENVOY_LOG_DESTINATION", "/l");
        for (name, value, expected) in [
            ("APPNET_ENVOY_LOG_NAME", "../x", "the name of a file"),
            ("APPNET_AGENT_MAX_LOG_FILE_SIZE", "0", "MiB from 0.01 to 10000"),
            ("APPNET_AGENT_MAX_LOG_FILE_SIZE", "NaN", "MiB from 0.01 to 10000"),
            ("APPNET_AGENT_MAX_RETENTION_COUNT", "-1", "from 0 to 1000"),
        ] {
            let problems = read(&[folder, (name, value)]).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].contains(name) && problems[0].contains(expected),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn the_latest_files_are_kept_in_order_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let files = LogFiles {
            path: folder.path().join("deep/envoy.log"),
            max_bytes: 3,
            older: 2,
        };
        files.prepare().unwrap();
        assert!(!files.turn_over().unwrap(), "there is nothing yet");
        for text in ["one!", "two!", "three!", "four!"] {
            fs::write(files.path(), text).unwrap();
            assert!(files.turn_over().unwrap());
            assert!(files.turn_over().unwrap(), "envoy has not opened another yet");
        }
        fs::write(files.path(), "now").unwrap();
        assert!(!files.turn_over().unwrap(), "it is not too large");
        let content = |number: u64| fs::read_to_string(files.numbered(number)).ok();
        assert_eq!(
            (content(1), content(2), content(3)),
            (Some("four!".into()), Some("three!".into()), None)
        );

        let none = LogFiles { older: 0, ..files };
        fs::write(none.path(), "five!").unwrap();
        assert!(none.turn_over().unwrap() && !none.path().exists());
        assert_eq!(fs::read_to_string(none.numbered(1)).unwrap(), "four!");
    }
}
