//! Files in and out.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use ferromesh_import::{write::File, Source};

/// Endings of the files of a folder that are read.
const ENDINGS: [&str; 7] = ["json", "yaml", "yml", "template", "tf", "tfvars", "tfstate"];

/// Whether a file of a folder is read, by its name.
pub fn is_ours(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// The files: each path is a file, a folder whose files with one of our endings are read in the order of their names,
/// or `-` for standard input.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Vec<String>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match one(path) {
            Ok(found) => sources.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(sources)
    } else {
        Err(problems)
    }
}

fn one(path: &Path) -> Result<Vec<Source>, String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input: {error}"))?;
        return Ok(vec![Source::new("standard input", bytes)]);
    }
    let named = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        files.clear();
        for entry in std::fs::read_dir(path).map_err(|error| named(path, error))? {
            let file = entry.map_err(|error| named(path, error))?.path();
            if is_ours(&file) && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() {
            let endings = ENDINGS.join(", .");
            return Err(format!(
                "{}: the folder has no file that ends in .{endings}",
                path.display()
            ));
        }
    }
    let source = |file: PathBuf| {
        let bytes = std::fs::read(&file).map_err(|error| named(&file, error))?;
        Ok(Source::new(file.display().to_string(), bytes))
    };
    files.into_iter().map(source).collect()
}

/// Writes files into a folder that is empty or not there yet: two exports in one folder would be read as one.
pub fn write(folder: &Path, files: &[File]) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(named)?;
    if std::fs::read_dir(folder).map_err(named)?.next().is_some() {
        return Err(format!("{}: the folder is not empty", folder.display()));
    }
    for file in files {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_by_name_and_written_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let file = |name: &str| File {
            name: name.to_owned(),
            text: name.to_uppercase(),
        };
        write(&out, &[file("b.json"), file("a.tf"), file("c.txt")]).unwrap();
        let sources = read(std::slice::from_ref(&out)).unwrap();
        let names: Vec<&[u8]> = sources.iter().map(|source| source.bytes.as_slice()).collect();
        assert_eq!(names, [b"A.TF".as_slice(), b"B.JSON"]);
        assert!(write(&out, &[]).unwrap_err().contains("not empty"));
        let problems = read(&["/nowhere".into(), folder.path().into()]).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
