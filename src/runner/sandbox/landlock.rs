//! Landlock (landlock(7)), by which a process gives up rights of its own. The ruleset handles
//! every right and grants none.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    Scope,
};

use crate::runner::sandbox::Layer;

/// The newest ABI of the crate; an older kernel handles the rights that it knows.
const NEWEST: ABI = ABI::V10;

/// Gives up every right to files, to the network, and to signals and abstract sockets of
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
    // The rights of each ABI: landlock(7), "VERSIONS". seccomp alone covers the later ones.
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
