//! Inputs that break something: kept before they run, so that even one that ends the process is not lost, and made
//! smaller as long as the same place fails.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a finding is made smaller.
const SHRINKING: Duration = Duration::from_secs(20);

/// Where the latest panic was, and what it said.
static LATEST: Mutex<Option<Panic>> = Mutex::new(None);

#[derive(Clone)]
struct Panic {
    place: String,
    message: String,
}

/// Remembers panics instead of printing them: shrinking makes thousands.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let message = payload.downcast_ref::<String>().cloned();
        let message = message.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = message.unwrap_or_default();
        *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Panic { place, message });
    }));
}

fn latest() -> Option<Panic> {
    LATEST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What was found so far.
pub struct Findings {
    target: String,
    folder: PathBuf,
    running: File,
    running_path: PathBuf,
    places: Vec<String>,
}

impl Findings {
    pub fn new(target: &str, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let running_path = folder.join(format!("running-{target}"));
        Ok(Self {
            target: target.to_owned(),
            folder: folder.to_owned(),
            running: File::create(&running_path)?,
            running_path,
            places: Vec::new(),
        })
    }

    /// Different places that failed.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Writes an input down before it runs: its length in four bytes (little endian), then itself.
    pub fn begin(&mut self, input: &[u8]) -> io::Result<()> {
        let mut record = [0; 4 + super::corpus::MAX_LENGTH];
        let length = input.len().min(super::corpus::MAX_LENGTH);
        record[..4].copy_from_slice(&(length as u32).to_le_bytes());
        record[4..4 + length].copy_from_slice(&input[..length]);
        self.running.write_all_at(&record[..4 + length], 0)
    }

    /// All inputs ended.
    pub fn end(&self) -> io::Result<()> {
        fs::remove_file(&self.running_path)
    }

    /// Saves an input that panicked, if no other failed in its place, and a smaller one.
    pub fn add(&mut self, target: fn(&[u8]), input: &[u8]) -> io::Result<()> {
        let Some(panic) = latest() else { return Ok(()) };
        if self.places.contains(&panic.place) {
            return Ok(());
        }
        let number = self.places.len();
        let file = self.folder.join(format!("{}-{number}", self.target));
        fs::write(&file, input)?;
        let small = shrink(target, input, &panic.place);
        let small_file = file.with_file_name(format!("{}-{number}-small", self.target));
        fs::write(&small_file, &small)?;
        eprintln!("{}: {}: {}", self.target, panic.place, panic.message);
        eprintln!("  {} bytes: {}", input.len(), file.display());
        eprintln!("  {} bytes: {}", small.len(), small_file.display());
        self.places.push(panic.place);
        Ok(())
    }
}

fn fails(target: fn(&[u8]), input: &[u8], place: &str) -> bool {
    let held = std::panic::catch_unwind(|| ferromesh_fuzz::run(target, input));
    held.is_err() && latest().is_some_and(|panic| panic.place == place)
}

/// Leaves out as much as possible, then makes zeros of what is left.
fn shrink(target: fn(&[u8]), input: &[u8], place: &str) -> Vec<u8> {
    let (began, mut best) = (Instant::now(), input.to_vec());
    let mut size = best.len().next_power_of_two();
    while size > 0 && began.elapsed() < SHRINKING {
        let mut at = 0;
        while at < best.len() && began.elapsed() < SHRINKING {
            let mut without = best.clone();
            without.drain(at..(at + size).min(best.len()));
            if fails(target, &without, place) {
                best = without;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    for at in 0..best.len() {
        let mut plain = best.clone();
        plain[at] = 0;
        if began.elapsed() < SHRINKING && fails(target, &plain, place) {
            best = plain;
        }
    }
    best
}
