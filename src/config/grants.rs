//! `grants.<handler>`: the rights of single handlers, in the file only.

use toml::de::DeValue;

use super::{
    Config, ConfigError, Setting,
    value::{NET_RULES, Raw},
};
use crate::domain::{access::pattern::Pattern, network::Grant};

/// The values of `grants.<handler>.net`.
pub(super) const GRANTED_NET: &str = "false (no requests), or a list as that of `net.allow`";

/// Applies the table of one handler, or of the handlers in a folder.
pub(super) fn apply(
    config: &mut Config,
    handlers: &str,
    granted: &DeValue<'_>,
    setting: Setting,
) -> Result<(), ConfigError> {
    let Ok(handlers) = handlers.parse::<Pattern>() else {
        let shown = Raw::Toml(granted);
        return Err(refuse(
            setting,
            &shown,
            "the name of a handler, or of a folder of handlers with /* at its end",
        ));
    };
    let DeValue::Table(rights) = granted else {
        return Err(refuse(setting, &Raw::Toml(granted), "a table with net"));
    };
    for (right, value) in rights {
        let raw = Raw::Toml(value.get_ref());
        let key = format!("{}.{}", setting.key, right.get_ref());
        let setting = Setting { key, ..setting.clone() };
        if right.get_ref() != "net" {
            let setting = Box::new(Setting { value: None, ..setting });
            return Err(ConfigError::Unknown { setting, hint: "known is net".to_owned() });
        }
        let net = match value.get_ref() {
            DeValue::Boolean(false) => Vec::new(),
            DeValue::Array(_) => raw.list(|text| text.parse().ok()).map_err(|part| {
                let setting = Box::new(Setting { value: Some(part), ..setting.clone() });
                ConfigError::Value { setting, allowed: NET_RULES.to_owned() }
            })?,
            _ => return Err(refuse(setting, &raw, GRANTED_NET)),
        };
        config.net.grants.push(Grant { handlers: handlers.clone(), net });
    }
    Ok(())
}

/// The error for a value that a key cannot have.
pub(super) fn refuse(setting: Setting, value: &Raw<'_>, allowed: &str) -> ConfigError {
    let setting = Box::new(Setting { value: Some(value.to_string()), ..setting });
    ConfigError::Value { setting, allowed: allowed.to_owned() }
}
