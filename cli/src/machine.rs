//! What of a run depends on the machine and the moment.

use handwritten::Isa;
use serde::Serialize;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The content of machine.toml: times, dates and the machine, of which no
/// other file of a run says anything. Of a run that was interrupted they are
/// those since it went on last.
#[derive(Serialize)]
pub(super) struct Machine {
    started: String,
    version: &'static str,
    target: String,
    instruction_set: &'static str,
    fused_multiply_add: bool,
    threads: usize,
    /// How many epochs it had when it went on, if it was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resumed_after_epochs: Option<usize>,
    ready_after_seconds: f64,
    pub(super) training_seconds: f64,
    epoch_seconds: Vec<f64>,
}

impl Machine {
    /// For a run whose training began and ended so many seconds after `clock`
    /// was started; `epoch_seconds` leave out validation.
    pub(super) fn new(
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

/// When the program began, and how long ago.
pub(super) struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    /// Begins now.
    pub(super) fn start() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// Seconds since the start.
    pub(super) fn seconds(&self) -> f64 {
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
