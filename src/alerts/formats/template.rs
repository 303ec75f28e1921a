//! Templates that users write for bodies, bounded by fuel.

use minijinja::{Environment, value::Serde};

use crate::alerts::message::Message;

/// Steps of a template; one that runs out fails.
const FUEL: u64 = 100_000;
const NAME: &str = "body";

/// A template of a body.
pub(super) struct Template(Environment<'static>);

impl Template {
    /// # Errors
    /// The line and the mistake.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| error.to_string())?;
        Ok(Self(environment))
    }

    /// # Errors
    /// The line and the mistake.
    pub(super) fn render(&self, message: &Message) -> Result<String, String> {
        let template = self.0.get_template(NAME).map_err(|error| error.to_string())?;
        let fields = minijinja::Value::from(Serde(message));
        template.render(fields).map_err(|error| error.to_string())
    }
}
