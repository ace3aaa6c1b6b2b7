//! The report of `explain` as a page that can be sent to whoever asks.

use super::catalogue::{MEAN, PUBLISHED, REPAIRED, REPAIRS, TRIED, repaired};
use super::report::{Report, percent, spelt};
use crate::failure::Failure;
use crate::report::document::{Part, page};

const TITLE: &str = "Why it did not learn";

/// Each mistake: its name, what the code does, and what it should do.
const MEANINGS: [[&str; 3]; 3] = [
    [
        "gradient",
        "the gradient of the loss is y − t, with the raw outputs y: that of a squared error",
        "softmax(y) − t, that of the cross-entropy",
    ],
    [
        "velocity",
        "the momentum multiplies the weights: w ← μ·w − η·g",
        "v ← μ·v − η·g, then w ← w + v",
    ],
    [
        "init",
        "weights are drawn from N(−0.1, 0.02), so that every sigmoid is saturated",
        "around 0, with a deviation that fits the layer",
    ],
];

impl Report {
    /// The page.
    pub(super) fn page(&self) -> Result<String, Failure> {
        let mut parts = self.answer()?;
        parts.extend(self.same_run()?);
        parts.extend(self.combinations()?);
        let list = |heading: &str, lines: &[(&str, &str)]| self.listed(heading, lines);
        parts.extend(list("What was tried: one change each", &TRIED)?);
        parts.push(Part::Curves {
            label: "Validation accuracy (%)",
            caption: "Validation accuracy of what was tried".to_string(),
            curves: self.curves(TRIED.map(|(name, line)| (name.to_string(), line.to_string())))?,
        });
        parts.extend(list(
            "With all mistakes repaired, 128 hidden units",
            &REPAIRED,
        )?);
        Ok(page(TITLE, &parts))
    }

    /// The answer in prose.
    fn answer(&self) -> Result<Vec<Part>, Failure> {
        let question = self.of(MEAN)?;
        let [.., all] = REPAIRS;
        let (with_one, with_many) = (
            self.of(&repaired(all, 1))?.shown(),
            self.of(&repaired(all, 128))?.shown(),
        );
        let prose = [
            format!(
                "The net stayed at {} of the validation images after {} full batches. It makes three \
                 mistakes at once, listed below. With one of them corrected, no net of 1 or of 128 \
                 hidden units passes {} in any epoch, which looks as if that mistake were not the \
                 cause.",
                question.shown(),
                question.history.len(),
                percent(self.highest_of_single_repairs()?)
            ),
            format!(
                "With all three corrected, 20 full batches lead to {with_many} with 128 hidden units \
                 and to {with_one} with the single one of the run, which is too few to tell the \
                 classes apart."
            ),
            format!(
                "With 128 hidden units each mistake costs so many points of accuracy if it alone \
                 is left: {}.",
                self.costs()?.join(", ")
            ),
        ];
        let mut parts = vec![Part::Heading("The answer".to_string())];
        parts.extend(prose.map(Part::Prose));
        parts.push(table(
            &["mistake", "what the code does", "what it should do"],
            MEANINGS.map(|row| row.map(String::from).to_vec()).to_vec(),
        ));
        Ok(parts)
    }

    /// The rows of the published figures beside ours.
    fn published_rows(&self) -> Result<Vec<Vec<String>>, Failure> {
        let mut rows = vec![];
        for published in &PUBLISHED {
            rows.extend(self.beside(published)?.map(|figures| {
                let place = [
                    format!("train {}", published.line),
                    format!("E({})", published.epoch),
                ];
                place.into_iter().chain(figures).collect()
            }));
        }
        Ok(rows)
    }

    /// The published figures beside ours, and the losses of the run.
    fn same_run(&self) -> Result<Vec<Part>, Failure> {
        let history = &self.of(MEAN)?.history;
        let losses = [
            (
                "training loss",
                history.iter().map(|row| row.train_loss).collect(),
            ),
            (
                "validation loss",
                history.iter().map(|row| row.val_loss).collect(),
            ),
        ];
        Ok(vec![
            Part::Heading("It is the same run".to_string()),
            table(
                &["run", "epoch", "figure", "published", "here"],
                self.published_rows()?,
            ),
            Part::Curves {
                label: "Cross-entropy (nats per image)",
                caption: "The losses of the run; a net that guesses has ln 10 = 2.303".to_string(),
                curves: losses
                    .map(|(name, curve)| (name.to_string(), curve))
                    .to_vec(),
            },
        ])
    }

    /// The three mistakes, repaired in all combinations.
    fn combinations(&self) -> Result<Vec<Part>, Failure> {
        let mut rows = vec![];
        for repair in REPAIRS {
            let [one, many] = [1, 128].map(|hidden| self.of(&repaired(repair, hidden)));
            let (one, many) = (one?, many?);
            rows.push(vec![
                spelt(repair),
                one.shown(),
                many.shown(),
                many.findings(),
            ]);
        }
        let mut parts = vec![
            Part::Heading("Mistakes repaired, alone and together".to_string()),
            Part::Prose(
                "Validation accuracy after 20 full batches, each as train --recipe \
                 question+REPAIRS --epochs 20 --hidden UNITS gives it."
                    .to_string(),
            ),
            table(
                &[
                    "repaired",
                    "1 hidden unit",
                    "128 hidden units",
                    "findings of train with 128",
                ],
                rows,
            ),
        ];
        for (hidden, units) in [(1, "1 hidden unit"), (128, "128 hidden units")] {
            let curves = REPAIRS.map(|repair| (spelt(repair), repaired(repair, hidden)));
            parts.push(Part::Curves {
                label: "Validation accuracy (%)",
                caption: format!("Validation accuracy with mistakes repaired, {units}"),
                curves: self.curves(curves)?,
            });
        }
        Ok(parts)
    }

    fn listed(&self, heading: &str, lines: &[(&str, &str)]) -> Result<Vec<Part>, Failure> {
        let mut rows = vec![];
        for (name, line) in lines {
            let run = self.of(line)?;
            rows.push(vec![
                (*name).to_string(),
                run.shown(),
                run.findings(),
                format!("train {line}"),
            ]);
        }
        Ok(vec![
            Part::Heading(heading.to_string()),
            table(
                &[
                    "change",
                    "validation accuracy",
                    "findings of train",
                    "command",
                ],
                rows,
            ),
        ])
    }

    /// The validation accuracies of trainings, in per cent, each with a name.
    fn curves<const N: usize>(
        &self,
        lines: [(String, String); N],
    ) -> Result<Vec<(String, Vec<f64>)>, Failure> {
        let curve = |(name, line): (String, String)| {
            let curve = self.of(&line)?.curve();
            Ok((name, curve.into_iter().map(|share| 100.0 * share).collect()))
        };
        lines.into_iter().map(curve).collect()
    }
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> Part {
    Part::Table {
        head: head.iter().map(ToString::to_string).collect(),
        rows,
    }
}
