//! The files of stores: from a folder or a tar, within [`bounds`](super::bounds).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use super::{MovingError, bounds};

/// The files of one store by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads the files that lie in a folder itself. Folders in it are not looked into; links are
/// refused, as they could lead anywhere.
///
/// # Errors
/// When the folder or a file can not be read, is a link, or there is too much.
pub fn read_folder(folder: &Path) -> Result<Files, MovingError> {
    let wrong = |error: std::io::Error| MovingError::file(folder.display(), error);
    let mut files = Files::new();
    let mut total = 0;
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let shown = entry.path().display().to_string();
        let kind = entry.file_type().map_err(wrong)?;
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            let reason = "is no regular file: links are not followed";
            return Err(MovingError::file(shown, reason));
        }
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| MovingError::file(&shown, "its name is not UTF-8"))?;
        let file = File::open(entry.path()).map_err(|error| MovingError::file(&shown, error))?;
        let bytes = read_bounded(&name, file, &mut total)?;
        insert(&mut files, name, bytes)?;
    }
    Ok(files)
}

/// The folders in a folder, each a store, by name.
///
/// # Errors
/// When it can not be read or there are too many.
pub fn folders_in(folder: &Path) -> Result<Vec<std::path::PathBuf>, MovingError> {
    let wrong = |error: std::io::Error| MovingError::file(folder.display(), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if entry.file_type().map_err(wrong)?.is_dir() {
            found.push(entry.path());
        }
        if found.len() > bounds::STORES {
            return Err(too_many("folders", bounds::STORES as u64));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a tar. Each folder in it is a store; files at its top are one as well, named ``.
///
/// # Errors
/// When it is no tar, is cut off, holds a path out of itself, a link or a device, or too much.
pub fn read_tar(name: &str, tar: impl Read) -> Result<BTreeMap<String, Files>, MovingError> {
    let wrong = |error: std::io::Error| MovingError::file(name, error);
    let mut stores: BTreeMap<String, Files> = BTreeMap::new();
    let mut total = 0;
    let mut archive = tar::Archive::new(tar);
    for (count, entry) in archive.entries().map_err(wrong)?.enumerate() {
        if count > bounds::FILES {
            return Err(too_many("files", bounds::FILES as u64));
        }
        let entry = entry.map_err(wrong)?;
        let path = entry.path().map_err(wrong)?.into_owned();
        let shown = path.display().to_string();
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        if !kind.is_file() {
            return Err(MovingError::file(shown, "is no regular file"));
        }
        let (folder, file) = split(&path)
            .ok_or_else(|| MovingError::file(&shown, "leads out of the archive, or is no name"))?;
        if !stores.contains_key(&folder) && stores.len() >= bounds::STORES {
            return Err(too_many("folders", bounds::STORES as u64));
        }
        let bytes = read_bounded(&shown, entry, &mut total)?;
        insert(stores.entry(folder).or_default(), file, bytes)?;
    }
    if stores.is_empty() {
        return Err(MovingError::file(name, "holds no files: is it a tar?"));
    }
    Ok(stores)
}

/// The folder and the file that a path names, unless it leads anywhere else.
fn split(path: &Path) -> Option<(String, String)> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    let file = parts.pop()?.to_owned();
    Some((parts.join("/"), file))
}

fn insert(files: &mut Files, name: String, bytes: Vec<u8>) -> Result<(), MovingError> {
    if name.len() > bounds::NAME {
        return Err(MovingError::file("a file", "its name is too long"));
    }
    if files.len() >= bounds::FILES {
        return Err(too_many("files", bounds::FILES as u64));
    }
    files.insert(name, bytes);
    Ok(())
}

/// All of a file, unless it is too large or all together are. `total` counts.
fn read_bounded(name: &str, from: impl Read, total: &mut u64) -> Result<Vec<u8>, MovingError> {
    let mut bytes = Vec::new();
    let read = from.take(bounds::FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| MovingError::file(name, error))?;
    let size = bytes.len() as u64;
    if size > bounds::FILE_BYTES {
        let reason = format!("is larger than {} bytes", bounds::FILE_BYTES);
        return Err(MovingError::file(name, reason));
    }
    *total += size;
    if *total > bounds::STORE_BYTES {
        return Err(too_many("bytes", bounds::STORE_BYTES));
    }
    Ok(bytes)
}

fn too_many(what: &'static str, limit: u64) -> MovingError {
    MovingError::TooMuch { what, limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(names: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_old();
            // Written past the checks of the builder.
            let field = &mut header.as_mut_bytes()[..100];
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(2);
            header.set_cksum();
            builder.append(&header, &b"{}"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn every_folder_of_a_tar_is_a_store() {
        let tar = tar_of(&["creds.json", "./a/creds.json", "a/pre-key-1.json", "b/c/x"]);
        let stores = read_tar("x.tar", &*tar).unwrap();
        let names: Vec<_> = stores
            .iter()
            .map(|(folder, files)| (folder.as_str(), files.len()))
            .collect();
        assert_eq!(names, [("", 1), ("a", 2), ("b/c", 1)]);
    }

    #[test]
    fn no_path_leads_out_of_a_tar() {
        for name in ["../creds.json", "/etc/creds.json", "a/../../creds.json"] {
            let error = read_tar("x.tar", &*tar_of(&[name])).unwrap_err();
            assert!(error.to_string().contains("leads out"), "{error}");
        }
    }

    #[test]
    fn a_cut_tar_and_none_at_all_are_refused() {
        let tar = tar_of(&["creds.json", "b.json"]);
        read_tar("x.tar", &tar[..1025]).unwrap_err();
        read_tar("x.tar", &b"hello"[..]).unwrap_err();
        read_tar("x.tar", &b""[..]).unwrap_err();
        read_tar("x.tar", &[7_u8; 4096][..]).unwrap_err();
    }

    #[test]
    fn links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("creds.json"), "{}").unwrap();
        assert_eq!(read_folder(folder.path()).unwrap().len(), 1);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("session-1.0.json")).unwrap();
        let error = read_folder(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("links are not followed"),
            "{error}"
        );
    }

    #[test]
    fn a_large_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("creds.json")).unwrap();
        file.set_len(bounds::FILE_BYTES + 1).unwrap();
        let error = read_folder(folder.path()).unwrap_err();
        assert!(error.to_string().contains("larger than"), "{error}");
    }
}
