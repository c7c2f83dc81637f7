//! Why a measurement could not be made: a sentence for the terminal, with its causes.

use std::error::Error;
use std::fmt;

/// The end of a measurement. Nothing here is retried by its kind, so one type is enough.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What every fallible function of the bench returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure without a cause below it.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            // A `Failure` has printed its own causes already.
            cause = if error.is::<Failure>() { None } else { error.source() };
        }
        Ok(())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

/// Says what was being done when an error came.
pub(crate) trait Context<T> {
    /// Puts `what` in front of the error.
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Error + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| Failure { what: what.into(), cause: Some(Box::new(error)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_each_cause_once() {
        let inner: Result<()> = Err(std::io::Error::other("no such port")).context("binding");
        let outer = inner.context("starting the broker").unwrap_err();
        assert_eq!(outer.to_string(), "starting the broker: binding: no such port");
    }
}
