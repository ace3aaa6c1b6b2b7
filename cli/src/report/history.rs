//! The rows of a history.csv, as a report shows them.

/// An epoch of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) epoch: usize,
    /// Losses as the run reports them, mean or sum.
    pub(super) train_loss: f64,
    pub(super) val_loss: f64,
    /// From 0 to 1.
    pub(super) val_accuracy: f64,
    pub(super) learning_rate: f64,
    /// Shares of the hidden activations; NaN where the file does not say.
    pub(super) saturated: f64,
    pub(super) dead: f64,
    /// The name of the finding of its diagnosis, or nothing.
    pub(super) finding: String,
}

/// The rows of a history. Columns are found by their names, rows that are cut off are left out.
pub(super) fn rows(csv: &str) -> Vec<Row> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |name: &str| {
            let at = names.iter().position(|&found| found == name)?;
            fields.get(at).copied()
        };
        let number = |name: &str| field(name)?.parse::<f64>().ok();
        Some(Row {
            epoch: field("epoch")?.parse().ok()?,
            train_loss: number("train_loss")?,
            val_loss: number("val_loss")?,
            val_accuracy: number("val_accuracy")?,
            learning_rate: number("learning_rate")?,
            saturated: number("saturated").unwrap_or(f64::NAN),
            dead: number("dead").unwrap_or(f64::NAN),
            finding: field("finding").unwrap_or_default().to_string(),
        })
    };
    lines.filter_map(row).collect()
}

/// The meaning of a finding, in a sentence.
pub(super) fn meaning(name: &str) -> &'static str {
    match name {
        "raw-logit-gradient" => {
            "The gradient by the logits is that of a squared error, while the loss is a \
             cross-entropy."
        }
        "wrong-gradient" => "The gradient is not that of the loss.",
        "saturated" => {
            "Almost all hidden activations are at an end of the activation function, where it has \
             no slope to learn by."
        }
        "dead" => "Almost all hidden units are 0 at every image.",
        "narrow" => "A hidden layer has too few units for the number of classes.",
        "shrinking" => "The norm of the weights shrinks faster than weight decay explains.",
        "whole-matrix-softmax" => {
            "The softmax of the loss is normalised over all images together instead of each one."
        }
        "aliased-best" => "The best net changed in an epoch that was not the best.",
        "rate-too-high" => "The learning rate is too high for the net.",
        "rate-too-low" => "The learning rate is much lower than the net allows.",
        "pixels" => "The images use little of the range of a byte, or are dark on a bright ground.",
        "vanishing" => "The gradient vanishes on its way back to the first layer.",
        "decay" => "Weight decay outweighs the loss.",
        "standing" => "The weights hardly move.",
        "guessing" => "The loss is no better than that of guessing.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_names() {
        let csv = "epoch,val_loss,train_loss,new,val_accuracy,learning_rate,finding\n\
                   1,0.5,0.25,x,0.75,0.1,dead\n\
                   2,0.5,0.2";
        let rows = rows(csv);
        assert_eq!(rows.len(), 1);
        let first = &rows[0];
        assert_eq!(
            (first.epoch, first.train_loss, first.val_loss),
            (1, 0.25, 0.5)
        );
        assert_eq!((&*first.finding, first.learning_rate), ("dead", 0.1));
        assert!(first.saturated.is_nan());
        assert!(super::rows("").is_empty());
    }
}
