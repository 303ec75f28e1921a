//! Landlock (landlock(7)), the kernel's access control for a process
//! that wants less. Every right is handled and none is granted.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    Scope,
};

use crate::runner::sandbox::Layer;

/// The newest rights the crate knows; a kernel that knows fewer handles those.
const NEWEST: ABI = ABI::V10;

/// Takes every right to files, to the network, and to signals and abstract sockets of
/// processes outside.
pub(crate) fn install_landlock() -> Layer {
    let status = match restrict() {
        Ok(status) => status.landlock,
        Err(error) => return Layer::Missing(format!("no Landlock: {error}")),
    };
    let (abi, number) = match status {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            (effective_abi, kernel_abi.unwrap_or(effective_abi as i32))
        }
        LandlockStatus::NotEnabled => return Layer::Missing("no Landlock (not enabled at boot)".to_owned()),
        LandlockStatus::NotImplemented => {
            return Layer::Missing("no Landlock (not in this kernel)".to_owned());
        }
    };
    // What came when: landlock(7), "VERSIONS". Later rights are covered by seccomp alone.
    let lacks = match abi {
        abi if abi < ABI::V4 => "files only",
        abi if abi < ABI::V6 => "files and network only",
        _ => return Layer::Full(format!("Landlock ABI {number}")),
    };
    Layer::Partial(format!("Landlock ABI {number} ({lacks})"))
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}
