//! The file machine.toml: what depends on the machine and on the time of a run.

use handwritten::Isa;
use serde::Serialize;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The content of machine.toml: date, durations and machine. No other file of a run
/// depends on them. For a run that was resumed, they are those since then.
#[derive(Serialize)]
pub(crate) struct Machine {
    started: String,
    version: &'static str,
    target: String,
    instruction_set: &'static str,
    fused_multiply_add: bool,
    threads: usize,
    /// Epochs that were complete when the run was resumed; none if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumed_after_epochs: Option<usize>,
    ready_after_seconds: f64,
    pub(crate) training_seconds: f64,
    epoch_seconds: Vec<f64>,
}

impl Machine {
    /// Describes a run whose training began and ended this many seconds after
    /// `clock` was started. `epoch_seconds` are without validation.
    pub(crate) fn new(
        clock: &Clock,
        isa: Isa,
        threads: usize,
        resumed_after_epochs: Option<usize>,
        (began, ended): (f64, f64),
        epoch_seconds: Vec<f64>,
    ) -> Self {
        Self {
            started: clock.timestamp(),
            version: env!("CARGO_PKG_VERSION"),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            instruction_set: isa.name(),
            fused_multiply_add: isa.is_fused(),
            threads,
            resumed_after_epochs,
            ready_after_seconds: began,
            training_seconds: ended - began,
            epoch_seconds,
        }
    }
}

/// The start of the program, as a date and for durations.
pub(crate) struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.instant.elapsed().as_secs_f64()
    }

    /// The start as date and time, UTC, after RFC 3339.
    fn timestamp(&self) -> String {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        chrono::DateTime::from_timestamp(seconds, 0)
            .map_or_else(String::new, |time| time.to_rfc3339())
    }
}
