//! The trainings that `explain` makes, as arguments of `train`, and what was
//! published about them.

/// Published figures of an epoch; the published run counts epochs from 0.
pub(super) struct Published {
    pub(super) line: &'static str,
    pub(super) epoch: usize,
    pub(super) train_loss: f64,
    pub(super) val_loss: f64,
    /// Share of the validation images, from 0 to 1.
    pub(super) accuracy: f64,
}

/// The published run, as it reports the sum of the loss.
pub(super) const SUM: &str = "--recipe question-sum";
/// The published run, as it reports the mean of the loss.
pub(super) const MEAN: &str = "--recipe question";

/// First and last epoch of both.
pub(super) const PUBLISHED: [Published; 4] = [
    Published {
        line: SUM,
        epoch: 0,
        train_loss: 798_288.753_771_431_9,
        val_loss: 54_096.504_099_671_97,
        accuracy: 0.121,
    },
    Published {
        line: SUM,
        epoch: 49,
        train_loss: 797_869.389_223_322_3,
        val_loss: 54_061.020_634_629_69,
        accuracy: 0.2126,
    },
    Published {
        line: MEAN,
        epoch: 0,
        train_loss: 2.303_327_661_318_069_5,
        val_loss: 2.302_157_233_965_492_5,
        accuracy: 0.1096,
    },
    Published {
        line: MEAN,
        epoch: 199,
        train_loss: 2.291_698_348_153_564_4,
        val_loss: 2.291_534_301_644_172_7,
        accuracy: 0.2106,
    },
];

/// All combinations of repairs of the three mistakes that each keep a net of 128
/// hidden units from learning.
pub(super) const REPAIRS: [&str; 8] = [
    "",
    "+gradient",
    "+velocity",
    "+init",
    "+gradient+velocity",
    "+gradient+init",
    "+velocity+init",
    "+gradient+velocity+init",
];

/// Each of the three mistakes by its repair, and the repairs of the two others.
pub(super) const MISTAKES: [(&str, &str); 3] = [
    ("+gradient", "+velocity+init"),
    ("+velocity", "+gradient+init"),
    ("+init", "+gradient+velocity"),
];

/// Changes to the run that its author tried, one each.
pub(super) const TRIED: [(&str, &str); 8] = [
    (
        "500 hidden units",
        "--recipe question --epochs 10 --hidden 500",
    ),
    (
        "three hidden layers",
        "--recipe question --epochs 20 --hidden 100,100,100",
    ),
    ("ten times the rate", "--recipe question --epochs 20 --lr 6"),
    (
        "a tenth of the rate",
        "--recipe question --epochs 20 --lr 0.06",
    ),
    ("momentum 0", "--recipe question --epochs 20 --momentum 0"),
    (
        "momentum 0.5",
        "--recipe question --epochs 20 --momentum 0.5",
    ),
    (
        "momentum 0.99",
        "--recipe question --epochs 20 --momentum 0.99",
    ),
    ("relu", "--recipe question --epochs 20 --activation relu"),
];

/// Two trainings with all mistakes repaired.
pub(super) const REPAIRED: [(&str, &str); 2] = [
    ("50 full batches", "--recipe mended"),
    ("20 epochs of mini-batches", "--hidden 128 --epochs 20"),
];

/// The arguments of `train` for some repairs and a number of hidden units.
pub(super) fn repaired(repair: &str, hidden: usize) -> String {
    format!("--recipe question{repair} --epochs 20 --hidden {hidden}")
}

/// The arguments of all trainings.
pub(super) fn all_lines() -> Vec<String> {
    let mut lines = vec![SUM.to_string(), MEAN.to_string()];
    for hidden in [1, 128] {
        lines.extend(REPAIRS.iter().map(|repair| repaired(repair, hidden)));
    }
    let others = TRIED.iter().chain(&REPAIRED);
    lines.extend(others.map(|(_, line)| line.to_string()));
    lines
}
