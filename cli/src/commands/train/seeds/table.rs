//! The results of several seeds: a row for each, means, and which one is the best.

use crate::output::report::grouped;
use crate::statistics::Sample;
use anstyle::Style;
use handwritten::Evaluation;
use handwritten::training::Keep;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// The result of one seed.
pub(super) struct Row {
    pub(super) seed: u64,
    /// The epoch whose net is kept, counted from 1.
    pub(super) epoch: usize,
    pub(super) val: Evaluation,
    pub(super) test: Evaluation,
}

/// The results of all seeds.
pub(super) struct Table {
    rows: Vec<Row>,
    /// The evaluation of the ensemble of all nets on the test images. It has no validation images:
    /// those of each seed have trained the nets of the others.
    ensemble: Option<Evaluation>,
    best: usize,
}

impl Table {
    /// The results of at least one seed, of which the best one has the lowest validation loss, or
    /// where the nets are not kept by that, the highest validation accuracy.
    pub(super) fn new(rows: Vec<Row>, ensemble: Option<Evaluation>, keep: Keep) -> Self {
        let is_better = |row: &Row, other: &Row| {
            let is_lower = row.val.loss < other.val.loss;
            let (own, others) = (row.val.confusion.correct(), other.val.confusion.correct());
            match keep {
                Keep::LowestLoss => is_lower,
                _ => own > others || (own == others && is_lower),
            }
        };
        let best = (1..rows.len()).fold(0, |best, i| match is_better(&rows[i], &rows[best]) {
            true => i,
            false => best,
        });
        Self {
            rows,
            ensemble,
            best,
        }
    }

    /// The number of the best row.
    pub(super) fn best(&self) -> usize {
        self.best
    }

    /// One row for each seed. Numbers have the digits that identify them.
    pub(super) fn csv(&self) -> String {
        let mut csv = "seed,epoch,val_loss,val_accuracy,test_loss,test_accuracy,test_correct,\
                       test_images,best\n"
            .to_string();
        for (i, row) in self.rows.iter().enumerate() {
            let (val, test) = (&row.val, &row.test);
            let _ = writeln!(
                csv,
                "{},{},{},{},{},{},{},{},{}",
                row.seed,
                row.epoch,
                val.loss,
                val.confusion.accuracy(),
                test.loss,
                test.confusion.accuracy(),
                test.confusion.correct(),
                test.confusion.total(),
                u8::from(i == self.best)
            );
        }
        csv
    }

    /// A figure of all seeds.
    fn sample(&self, figure: impl Fn(&Row) -> f64) -> Sample {
        let values: Vec<f64> = self.rows.iter().map(figure).collect();
        Sample::of(&values)
    }

    /// The table as text.
    pub(super) fn text(&self) -> String {
        let bold = Style::new().bold();
        let mut text = format!(
            "\n{bold}{:>9}  {:>6}  {:>9}  {:>9}  {:>9}  {:>9}{bold:#}\n",
            "seed", "epoch", "val loss", "val acc.", "test loss", "test acc."
        );
        for (i, row) in self.rows.iter().enumerate() {
            let _ = writeln!(
                text,
                "{:>9}  {:>6}  {:>9.5}  {:>7.2} %  {:>9.4}  {:>7.2} %{}",
                row.seed,
                row.epoch,
                row.val.loss,
                100.0 * row.val.confusion.accuracy(),
                row.test.loss,
                100.0 * row.test.confusion.accuracy(),
                if i == self.best { "  best" } else { "" }
            );
        }
        let val = self.sample(|row| row.val.confusion.accuracy());
        let test = self.sample(|row| row.test.confusion.accuracy());
        let images = grouped(self.rows[0].test.confusion.total());
        let _ = write!(
            text,
            "\nvalidation accuracy {}\n{bold}test accuracy {}{bold:#} on {images} images; the best \
             by validation, seed {}, is kept",
            spread(&val),
            spread(&test),
            self.rows[self.best].seed
        );
        if let Some(test) = &self.ensemble {
            let test = 100.0 * test.confusion.accuracy();
            let _ = write!(
                text,
                "\nensemble of all: {bold}test accuracy {test:.2} %{bold:#}"
            );
        }
        text
    }

    /// The table as JSON: an object for each seed, then one for all.
    pub(super) fn events(&self, folder: &Path) -> Vec<String> {
        let mut events: Vec<String> = vec![];
        for row in &self.rows {
            let event = json!({
                "event": "seed",
                "seed": row.seed,
                "epoch": row.epoch,
                "val_loss": row.val.loss,
                "val_accuracy": row.val.confusion.accuracy(),
                "loss": row.test.loss,
                "accuracy": row.test.confusion.accuracy(),
                "correct": row.test.confusion.correct(),
                "images": row.test.confusion.total(),
            });
            events.push(event.to_string());
        }
        let of = |sample: Sample| {
            let half = sample.half_width();
            json!({
                "mean": sample.mean,
                "deviation": sample.deviation,
                "interval_95": half.map(|half| [sample.mean - half, sample.mean + half]),
            })
        };
        let mut event = json!({
            "event": "seeds",
            "seeds": self.rows.len(),
            "val_accuracy": of(self.sample(|row| row.val.confusion.accuracy())),
            "accuracy": of(self.sample(|row| row.test.confusion.accuracy())),
            "best": self.rows[self.best].seed,
            "run": folder.display().to_string(),
        });
        if let Some(test) = &self.ensemble {
            event["ensemble"] = json!({
                "loss": test.loss,
                "accuracy": test.confusion.accuracy(),
                "correct": test.confusion.correct(),
                "images": test.confusion.total(),
            });
        }
        events.push(event.to_string());
        events
    }
}

/// The mean, the standard deviation and the 95 % confidence interval of the mean of shares, cut to
/// what a share can be.
fn spread(sample: &Sample) -> String {
    let mean = 100.0 * sample.mean;
    match (sample.deviation, sample.half_width()) {
        (Some(deviation), Some(half)) => format!(
            "{mean:.3} ± {:.3} % (mean ± sd of {} seeds; 95 % interval of the mean {:.3} to {:.3} %)",
            100.0 * deviation,
            sample.count,
            (mean - 100.0 * half).max(0.0),
            (mean + 100.0 * half).min(100.0)
        ),
        _ => format!("{mean:.3} %"),
    }
}
