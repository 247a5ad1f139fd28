//! Environment variables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The process's environment, or a fixed one.
#[derive(Clone, Debug)]
pub struct Env(Kind);

#[derive(Clone)]
enum Kind {
    Process,
    Fixed(Arc<BTreeMap<String, String>>),
}

impl Env {
    /// The process's own environment.
    pub fn process() -> Self {
        Self(Kind::Process)
    }

    /// An environment with just these variables.
    pub fn fixed<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(Kind::Fixed(Arc::new(
            variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )))
    }

    /// The value of `name`; an empty one counts as unset, as in the vendor's libraries.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            // One that is not UTF-8 is set all the same, and whoever reads it finds it wrong.
            Kind::Process => std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
            Kind::Fixed(variables) => variables.get(name).cloned(),
        }
        .filter(|value| !value.is_empty())
    }

    /// Whether `name` says "true", in any case, as the vendor's libraries read their switches.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("Process"),
            Self::Fixed(variables) => f.debug_set().entries(variables.keys()).finish(),
        }
    }
}
