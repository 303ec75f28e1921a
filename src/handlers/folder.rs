//! The handlers' folder: opens and reads files below it, and nothing else.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path},
    sync::Arc,
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// The name of the folder in stacks and errors.
pub(super) const SHOWN: &str = "tasks/";
const LEADS_OUT: &str = "it is a link that leads out of the handlers' folder";

/// A folder, and the only way to files below it. Paths are relative, with / between their parts.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) root: Arc<Path>,
}

/// A regular file below the folder.
pub(super) struct Opened {
    /// Its path without links.
    pub(super) path: String,
    file: File,
    /// Bytes.
    length: u64,
}

impl Opened {
    /// The content.
    pub(super) fn read(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or_default());
        self.file.by_ref().take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Folder {
    /// Opens a regular file; `None` when there is none of that name.
    ///
    /// # Errors
    /// When the file is too large, is no regular file, or lies outside the folder.
    pub(super) fn open(&self, path: &str) -> io::Result<Option<Opened>> {
        if path.contains('\0') {
            return Ok(None);
        }
        let (file, path) = match open_below(&self.root, path) {
            Ok((file, path)) => (file, path),
            Err(e) => {
                return match e.kind() {
                    io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename => Ok(None),
                    _ => Err(e),
                };
            }
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > LARGEST {
            return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
        }
        Ok(Some(Opened { path, file, length: metadata.len() }))
    }

    /// Opens and reads a regular file; `None` when there is none of that name.
    ///
    /// # Errors
    /// As [`Self::open`], and when the file cannot be read.
    pub(super) fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.open(path)?.map(Opened::read).transpose()
    }

    /// Whether something of that name is there. Not a promise that it can be read.
    pub(super) fn is_there(&self, path: &str) -> bool {
        !path.contains('\0') && self.root.join(path).exists()
    }

    /// Whether a folder of that name is there. Not a promise that it lies inside.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        !path.contains('\0') && self.root.join(path).is_dir()
    }
}

/// Reads a regular file of the folder `root`; `None` when there is none of that name.
///
/// # Errors
/// When the file is too large, is no regular file, lies outside the folder, or cannot be read.
pub fn read_below(root: &Path, path: &str) -> io::Result<Option<Vec<u8>>> {
    Folder { root: root.into() }.read(path)
}

/// Opens a file below a folder and returns its path without links. The kernel itself follows the
/// path's links and refuses those that lead out, so nothing can change between a check and the use.
#[cfg(target_os = "linux")]
fn open_below(root: &Path, path: &str) -> io::Result<(File, String)> {
    use rustix::{
        fs::{Mode, OFlags, ResolveFlags, open, openat2},
        io::Errno,
    };
    let folder = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // Without waiting: a named pipe is no file of ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&folder, path, flags, Mode::empty(), beneath | ResolveFlags::NO_SYMLINKS) {
        Ok(file) => return Ok((File::from(file), path.to_owned())),
        Err(Errno::LOOP) => {}
        // A kernel, or a container, that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => return open_checked(root, path),
        Err(e) => return Err(e.into()),
    }
    match openat2(&folder, path, flags, Mode::empty(), beneath) {
        Ok(file) => {
            let file = File::from(file);
            let real = real_path(&folder, &file);
            Ok((file, real.unwrap_or_else(|| path.to_owned())))
        }
        Err(Errno::XDEV) => Err(io::Error::other(LEADS_OUT)),
        Err(e) => Err(e.into()),
    }
}

/// The path of an open file below an open folder, without links.
#[cfg(target_os = "linux")]
fn real_path(folder: &impl std::os::fd::AsRawFd, file: &File) -> Option<String> {
    use std::os::fd::AsRawFd;
    let target = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    let (folder, file) = (target(folder.as_raw_fd())?, target(file.as_raw_fd())?);
    file.strip_prefix(folder).ok()?.to_str().map(str::to_owned)
}

#[cfg(not(target_os = "linux"))]
fn open_below(root: &Path, path: &str) -> io::Result<(File, String)> {
    open_checked(root, path)
}

/// Opens a file below a folder without the kernel's help.
fn open_checked(root: &Path, path: &str) -> io::Result<(File, String)> {
    let root = fs::canonicalize(root)?;
    let real = fs::canonicalize(root.join(path))?;
    let Ok(below) = real.strip_prefix(&root) else { return Err(io::Error::other(LEADS_OUT)) };
    let path = below.to_str().unwrap_or(path).to_owned();
    let metadata = fs::metadata(&real)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok((File::open(real)?, path))
}

/// The path without `.` and `..`, with / between its parts; `None` when it leads out.
pub(super) fn normalize(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// The folder of a path; empty for a file right below the handlers' folder.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path below a folder, which may be empty.
pub(super) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}
