//! Renders a registry file that is a Jinja2 template.
//!
//! Templates see one variable, `env`, the process environment, and may include
//! others beside them. Values have the methods of Python's types. As in Jinja2's
//! strict mode, using what is undefined is a fault (a token that silently
//! became empty would lock a client out), while asking whether it is defined,
//! a default, or a condition on it is fine.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{context, AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::Included;
use crate::env::Variables;
use crate::faults::Faults;

/// Renders `text`, the content of the file at `path`.
///
/// # Errors
/// One fault, with the line, that names what is undefined or not understood.
pub(super) fn render(
    path: &Path,
    text: &str,
    variables: &Variables,
    included: &Included,
) -> Result<String, Faults> {
    let name = path.display().to_string();
    let mut jinja = Environment::new();
    jinja.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    jinja.set_auto_escape_callback(|_| AutoEscape::None);
    jinja.set_unknown_method_callback(unknown_method_callback);
    if let Some(folder) = path.parent() {
        let (folder, included) = (folder.to_path_buf(), included.clone());
        jinja.set_loader(move |name| included.load(&folder, name));
    }
    // Without it an error does not say what is undefined.
    jinja.set_debug(true);
    let context = context! { env => Value::from_object(Env(variables.clone())) };
    jinja
        .render_named_str(&name, text, context)
        .map_err(|error| {
            let error = within_include(&error);
            let place = error.name().unwrap_or(&name);
            let line = error
                .line()
                .map(|line| format!(":{line}"))
                .unwrap_or_default();
            let source = if place == name { text } else { "" };
            Faults::one(format!("{place}{line}: {}", described(error, source)))
        })
}

/// The fault itself: one in an included template is told as the cause of the include's.
fn within_include(error: &Error) -> &Error {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    match (error.kind(), cause) {
        (ErrorKind::BadInclude, Some(cause)) => within_include(cause),
        _ => error,
    }
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
        // Its name may come from a variable.
        ErrorKind::TemplateNotFound => {
            let expression = error.range().and_then(|range| text.get(range));
            let include = expression.unwrap_or("what is included").trim();
            format!("{kind}: {include}")
        }
        _ => kind.to_string(),
    }
}

/// The environment as templates see it, which is a Python dictionary: `env.NAME`, `env['NAME']`,
/// `env.get('NAME', 'else')`, `env.items()`.
#[derive(Debug)]
struct Env(Variables);

impl Object for Env {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().map(Value::from).collect())
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
