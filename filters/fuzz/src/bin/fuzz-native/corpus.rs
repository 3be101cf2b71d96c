//! Inputs that are worth changing: one file each, in libFuzzer's manner, so that either may go on with the other's.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use ferromesh_policy::vectors::Chance;

/// Inputs in memory at most; then a new one takes the place of some other.
const MAX_INPUTS: usize = 8_192;
/// Bytes of an input at most: some twenty callbacks. libFuzzer's longer ones are cut; what needs more callbacks is rare
/// and is its business, while here half the length is twice as many inputs.
pub const MAX_LENGTH: usize = 640;

/// Inputs that made a filter do something new.
pub struct Corpus {
    folder: PathBuf,
    inputs: Vec<Vec<u8>>,
    /// Those of the folder that were not run yet.
    unread: Vec<Vec<u8>>,
    replaced: usize,
}

impl Corpus {
    /// What the folder holds. It is made where there is none.
    pub fn read(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut files: Vec<PathBuf> = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        // The same folder and seed give the same inputs.
        files.sort_unstable();
        let unread = files
            .iter()
            .rev()
            .take(MAX_INPUTS)
            .map(fs::read)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            folder: folder.to_owned(),
            inputs: Vec::new(),
            unread,
            replaced: 0,
        })
    }

    /// The next input of the folder.
    pub fn unread(&mut self) -> Option<Vec<u8>> {
        self.unread.pop()
    }

    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// One of the inputs.
    pub fn any(&self, chance: &mut impl Chance) -> &[u8] {
        // Half of the time one of the last that were found: what is new is least explored.
        let length = self.inputs.len();
        let among = if chance.once_in(2) { length.min(64) } else { length };
        &self.inputs[length - 1 - chance.index(among)]
    }

    /// Adds an input, to the folder as well.
    pub fn add(&mut self, input: &[u8]) -> io::Result<()> {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let file = self.folder.join(format!("{:016x}", hasher.finish()));
        if self.inputs.len() < MAX_INPUTS {
            if !file.exists() {
                fs::write(file, input)?;
            }
            self.inputs.push(input.to_vec());
        } else {
            // In turn, and only in memory: the folder stays small.
            self.replaced = (self.replaced + 1) % MAX_INPUTS;
            self.inputs[self.replaced] = input.to_vec();
        }
        Ok(())
    }
}
