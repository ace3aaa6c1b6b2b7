//! The causes for which a run may not learn, and by what they are told from each other.
//!
//! The thresholds were set on the runs of docs/defaults.md, of which none is told another
//! cause than its own, and on the runs that learn in tests/diagnosis.rs, which are told none.

use crate::data::Normalisation;
use crate::net::activation::Activation;
use crate::training::config::Config;
use crate::training::diagnosis::finding::{Finding, ln};
use crate::training::diagnosis::indicators::{Indicators, total_length};
use crate::training::diagnosis::monitor::{Monitor, Start};
use crate::training::observer::TrainingState;
use crate::training::report::EpochReport;

/// A share of saturated or dead units above [`MOST`] is a finding while the loss is above
/// [`UNLEARNT`] times the loss of guessing: a net that has learnt may have as many.
const MOST: f64 = 0.9;
const UNLEARNT: f64 = 0.5;

/// A loss above [`NO_BETTER`] times the loss of guessing after [`PATIENCE`] epochs, or
/// after [`MANY`] steps, is a finding.
const NO_BETTER: f64 = 0.95;
const PATIENCE: usize = 10;
const MANY: usize = 2000;

/// Steps after which the loss of a net that learns is below [`UNLEARNT`] times that of
/// guessing.
const SOME: usize = 100;

/// A loss that many times that of guessing is that of steps which overshoot, even after a
/// few of them.
const WORSE: f64 = 2.0;

/// A rate above so many times the advised one is a cause of a run that does not learn, and
/// one below so small a part of it as well.
const TOO_HIGH: f64 = 2.5;
const TOO_LOW: f64 = 0.1;

/// A rate below this share of the advised one is a likely cause of a run that went badly, if
/// nothing else is.
const RATHER_LOW: f64 = 0.2;

/// A weight decay from here on is a cause of a run that does not learn.
const STRONG_DECAY: f32 = 0.01;

/// A gradient of the first weights below this share of that of the last ones vanishes.
const VANISHING: f64 = 1e-3;

/// A net with a higher validation accuracy has learnt something, whatever its loss.
const LEARNT: f64 = 0.5;

/// Label smoothing from here on leaves a loss that looks like guessing.
const SMOOTH: f32 = 0.5;

/// Weights whose norm falls below this share in an epoch shrink.
const KEPT: f64 = 0.95;

/// Weights that move by less than this share of their norm in an epoch stand still.
const MOVED: f64 = 1e-5;

impl Monitor {
    /// Finds units without slope.
    pub(super) fn find_stuck(&mut self, activation: Activation, indicators: &Indicators) {
        let &Indicators {
            saturated, dead, ..
        } = indicators;
        if saturated > MOST {
            let share = saturated;
            self.find(Finding::Saturated { activation, share });
        }
        if dead > MOST {
            self.find(Finding::Dead { share: dead });
        }
    }

    /// Finds causes after an epoch: settings first, because they explain all else.
    pub(super) fn find_in_progress(
        &mut self,
        epoch: &EpochReport,
        now: &TrainingState<'_>,
        indicators: &Indicators,
    ) {
        let (images, classes) = (now.train.len(), now.net.widths()[now.net.depth()]);
        let (config, guess) = (now.config, ln(classes));
        let loss = epoch.train_loss * config.reduction.to_mean(images);
        let (batch, steps) = (config.batch.len_of(images), config.batch.steps(images));
        let made = epoch.epoch * steps;
        if loss > WORSE * guess || (made >= SOME && loss > UNLEARNT * guess) {
            self.find_settings(config);
        }
        // A rate that is too high looks like anything else.
        if self.rate_too_high(config).is_some() || self.is_explained() {
            return;
        }
        let excess = loss - guess - ln(batch);
        let is_shifted = epoch.epoch == 1 && batch > classes && excess.abs() < 0.5 * guess;
        if is_shifted || (loss > WORSE * guess && epoch.val_accuracy > LEARNT) {
            self.find(Finding::WholeMatrixSoftmax { loss, classes });
        }
        if loss > UNLEARNT * guess {
            self.find_stuck(now.net.activation(), indicators);
        }
        self.find_shrinking(config, indicators, steps);
        if is_guessing(loss, classes, epoch.val_accuracy) {
            let long = epoch.epoch >= PATIENCE || made >= MANY;
            self.find_standstill(now, indicators, long.then_some((loss, epoch.epoch)));
        }
    }

    /// Finds settings that keep any net from learning: of pixels, rate and decay. To be
    /// called of a run that does not learn.
    fn find_settings(&mut self, config: &Config) {
        let Some(Start { needed, .. }) = self.start else {
            return;
        };
        if needed != Normalisation::RAW {
            self.find(Finding::Pixels { needed });
        }
        let found = [self.rate_too_high(config), strong_decay(config)];
        found.into_iter().flatten().for_each(|f| self.find(f));
    }

    /// A rate that is too high, if it is.
    fn rate_too_high(&self, config: &Config) -> Option<Finding> {
        let (rate, advised) = (config.learning_rate.peak, self.advised_rate()?);
        (rate > TOO_HIGH * advised).then_some(Finding::RateTooHigh { rate, advised })
    }

    /// A rate below `share` of the advised one, if it is.
    fn rate_too_low(&self, config: &Config, share: f64) -> Option<Finding> {
        let (rate, advised) = (config.learning_rate.peak, self.advised_rate()?);
        (rate < share * advised).then_some(Finding::RateTooLow { rate, advised })
    }

    /// The likely cause of a run that went badly: the first finding that names one, or else
    /// what its settings suggest.
    pub fn likely_cause(&self, config: &Config) -> Option<Finding> {
        let is_cause = |finding: &&Finding| !matches!(finding, Finding::Guessing { .. });
        let found = self.findings().iter().find(is_cause).copied();
        found
            .or_else(|| self.rate_too_high(config))
            .or_else(|| self.rate_too_low(config, RATHER_LOW))
            .or_else(|| strong_decay(config))
    }

    /// Whether settings explain that the run does not learn, so that no other cause needs
    /// to be looked for.
    fn is_explained(&self) -> bool {
        let is_setting = |found: &Finding| {
            matches!(
                found,
                Finding::Pixels { .. } | Finding::RateTooHigh { .. } | Finding::Decay { .. }
            )
        };
        self.found.iter().any(is_setting)
    }

    /// Finds weights that shrink faster than weight decay explains.
    fn find_shrinking(&mut self, config: &Config, indicators: &Indicators, steps: usize) {
        // A step with weight decay λ takes a share η·λ of each weight, which the
        // velocity repeats 1 / (1 − μ) times.
        let (rate, rule) = (config.learning_rate.peak, config.optimizer);
        let decay = rate * f64::from(rule.weight_decay / (1.0 - rule.momentum));
        let kept = total_length(&indicators.layers) / self.length;
        if kept < KEPT * (-decay * steps as f64).exp() {
            self.find(Finding::Shrinking { lost: 1.0 - kept });
        }
    }

    /// Finds why the loss is no better than guessing: weights that hardly move, and after
    /// a long time, of which loss and number of epochs are given, whatever else it may be.
    fn find_standstill(
        &mut self,
        now: &TrainingState<'_>,
        indicators: &Indicators,
        long: Option<(f64, usize)>,
    ) {
        let moved = indicators
            .layers
            .iter()
            .map(|layer| layer.moved)
            .fold(0.0, f64::max);
        if moved < MOVED {
            self.find(Finding::Standing { moved });
        }
        let Some((loss, epochs)) = long else { return };
        let vanishing = self.start.filter(|start| start.reach < VANISHING);
        let vanishing = vanishing.map(|Start { reach, .. }| Finding::Vanishing { share: reach });
        if let Some(found) = vanishing.or_else(|| self.rate_too_low(now.config, TOO_LOW)) {
            self.find(found);
        } else if now.config.label_smoothing < SMOOTH {
            let classes = now.net.widths()[now.net.depth()];
            self.find(Finding::Guessing {
                loss,
                epochs,
                classes,
            });
        }
    }
}

/// A weight decay that may outweigh the loss, if it is so strong.
fn strong_decay(config: &Config) -> Option<Finding> {
    let weight_decay = config.optimizer.weight_decay;
    (weight_decay >= STRONG_DECAY).then_some(Finding::Decay { weight_decay })
}

/// Whether a net has learnt nothing: the mean loss of an image is no better than that of
/// guessing among so many classes, and the accuracy does not say otherwise, as it does where a
/// loss is on a wrong scale.
pub fn is_guessing(loss: f64, classes: usize, accuracy: f64) -> bool {
    loss > NO_BETTER * ln(classes) && accuracy < LEARNT
}
