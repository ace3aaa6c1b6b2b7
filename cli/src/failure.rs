//! Why a program ends without success, and with which exit code.

use crate::output;
use crate::signals::Signal;
use anstyle::{AnsiColor, Style};
use handwritten::training::TrainError;
use std::error::Error;
use std::fmt::{self, Display};
use std::iter::successors;
use std::process::ExitCode;

/// One line about what went wrong, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Something is wrong: the line begins with `error:`.
    Error,
    /// The user stopped the program: the line has no prefix.
    Stopped,
    /// Everything has been said already: no line.
    Reported,
}

impl Failure {
    fn error(code: u8, message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code,
            kind: Kind::Error,
        }
    }

    /// A file, a data set or a model cannot be used: exit code 1.
    pub(crate) fn new(message: impl Display) -> Self {
        Self::error(1, message)
    }

    /// A file, a data set or a model cannot be used, for the causes that the error has: exit
    /// code 1.
    pub(crate) fn caused(error: impl Error + 'static) -> Self {
        Self::new(chain(&error))
    }

    /// A flag, a configuration or an environment variable is wrong: exit code 2.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::error(2, message)
    }

    /// A gradient is not that of the loss: exit code 4.
    pub(crate) fn wrong_gradient(message: impl Display) -> Self {
        Self::error(4, message)
    }

    /// A signal ended the program in order: exit code 128 + its number.
    pub(crate) fn stopped(signal: Signal, message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code: signal.exit_code(),
            kind: Kind::Stopped,
        }
    }

    /// Some of several files could not be used, and [`Failure::report`] has
    /// printed a line for each: exit code 1.
    pub(crate) fn reported() -> Self {
        Self {
            message: String::new(),
            code: 1,
            kind: Kind::Reported,
        }
    }

    /// Adds to the line what may help.
    pub(crate) fn and(mut self, help: &str) -> Self {
        self.message = format!("{}; {help}", self.message);
        self
    }

    /// Says first which of several runs it is about.
    pub(crate) fn of(mut self, run: &str) -> Self {
        self.message = format!("{run}: {}", self.message);
        self
    }

    /// Prints the line to stderr and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        match self.kind {
            Kind::Error => output::remark(&format!("{red}error:{red:#} {self}")),
            Kind::Stopped => output::remark(&self.message),
            Kind::Reported => {}
        }
        ExitCode::from(self.code)
    }
}

/// The message of an error and those of its causes, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    let messages: Vec<String> = causes.map(|error| error.to_string()).collect();
    messages.join(": ")
}

impl From<TrainError> for Failure {
    /// Exit code 3 for a loss that stopped being finite, 2 for a configuration or a
    /// strategy that cannot be trained with, 1 for data that cannot.
    fn from(error: TrainError) -> Self {
        let code = match error {
            TrainError::NonFinite(_) => 3,
            TrainError::Config(_) | TrainError::Strategy(_) => 2,
            _ => 1,
        };
        Self::error(code, error)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
