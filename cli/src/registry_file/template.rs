//! Renders a registry file that is a Jinja2 template.
//!
//! Templates see one variable, `env`, the process environment. As in Jinja2's
//! strict mode, using what is undefined is a fault (a token that silently
//! became empty would lock a client out), while asking whether it is defined,
//! a default, or a condition on it is fine.

use std::sync::Arc;

use minijinja::value::{Object, Value};
use minijinja::{context, AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use crate::env::Variables;
use crate::faults::Faults;

/// Renders `text`, the content of the file `name`.
///
/// # Errors
/// One fault, with the line, that names what is undefined or not understood.
pub(super) fn render(name: &str, text: &str, variables: &Variables) -> Result<String, Faults> {
    let mut jinja = Environment::new();
    jinja.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    jinja.set_auto_escape_callback(|_| AutoEscape::None);
    // Without it an error does not say what is undefined.
    jinja.set_debug(true);
    let context = context! { env => Value::from_object(Env(variables.clone())) };
    jinja
        .render_named_str(name, text, context)
        .map_err(|error| {
            let line = error
                .line()
                .map(|line| format!(":{line}"))
                .unwrap_or_default();
            Faults::one(format!("{name}{line}: {}", described(&error, text)))
        })
}

/// What is wrong. The details of other errors may quote a value, and so a secret.
fn described(error: &Error, text: &str) -> String {
    let kind = error.kind();
    match kind {
        ErrorKind::UndefinedError => {
            let expression = error.range().and_then(|range| text.get(range));
            let expression = expression.unwrap_or("a value").trim();
            format!("{expression} is not defined: set it in the environment, or give it a default")
        }
        ErrorKind::SyntaxError
        | ErrorKind::UnknownFilter
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownMethod => {
            let detail = error.detail().unwrap_or("not a valid Jinja2 template");
            format!("{kind}: {detail}")
        }
        _ => kind.to_string(),
    }
}

/// The environment as templates see it: `env.NAME`, `env['NAME']`, `env.get('NAME', 'else')`.
#[derive(Debug)]
struct Env(Variables);

impl Object for Env {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(Value::from)
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let (key, default) = match (method, arguments) {
            ("get", [key]) => (key, Value::UNDEFINED),
            ("get", [key, default]) => (key, default.clone()),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Ok(self.get_value(key).unwrap_or(default))
    }
}
