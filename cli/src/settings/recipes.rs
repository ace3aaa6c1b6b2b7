//! Recipes: configurations that have a name.
//!
//! `question` is the published run that failed to learn, with all its mistakes
//! (docs/why-it-did-not-learn.md). Repairs of it follow after a plus:
//! `question+gradient+velocity`.

use super::Flags;
use handwritten::net::defects::Defect;

/// Name, base and settings of each recipe: the lines of a configuration file,
/// completed by those of the base, if there is one.
const RECIPES: [(&str, Option<&str>, &str); 8] = [
    (
        "quick",
        None,
        // The fastest of the configurations tried whose mean accuracy over 24 seeds
        // reached 98 % on a twelfth of the training file.
        "hidden = [256]
         activation = \"relu\"
         init = \"lecun\"
         epochs = 2
         batch = 96
         lr = 0.3
         schedule = \"linear:0.65\"
         momentum = 0.85
         nesterov = true
         weight_decay = 0.0
         label_smoothing = 0.05
         keep = \"lowest-loss\"",
    ),
    (
        "plain",
        None,
        // Of one hidden layer without distortion; the two below distort the images.
        "split = \"standard\"
         hidden = [1000]
         activation = \"relu\"
         init = \"he\"
         epochs = 25
         batch = 64
         lr = 0.1
         schedule = \"cosine\"
         momentum = 0.9
         weight_decay = 0.0
         label_smoothing = 0.1
         keep = \"last\"",
    ),
    (
        "shifts",
        Some("plain"),
        "epochs = 40
         distort = \"shift\"",
    ),
    (
        "record",
        Some("plain"),
        "epochs = 150
         label_smoothing = 0.05
         distort = \"elastic\"",
    ),
    (
        "committee",
        Some("record"),
        "seeds = 5
         ensemble = true",
    ),
    (
        "question",
        None,
        // As published last: it reports the mean loss, and its rate 1e-5 for the
        // summed gradient is 1e-5 · 60 000 = 0.6 for the mean gradient.
        "hidden = [1]
         activation = \"sigmoid\"
         init = \"question\"
         loss = \"mean\"
         epochs = 200
         batch = \"full\"
         lr = 0.6
         schedule = \"constant\"
         momentum = 0.9
         weight_decay = 0.0
         defects = [\"raw-logit-gradient\", \"momentum-on-weights\", \"aliased-best\"]",
    ),
    (
        "question-sum",
        Some("question"),
        // As published first.
        "loss = \"sum\"
         epochs = 50
         lr = 1e-5
         defects = [\"raw-logit-gradient\", \"momentum-on-weights\", \"aliased-best\",
                    \"whole-matrix-softmax\"]",
    ),
    (
        "mended",
        Some("question"),
        // With every mistake repaired, but still in full batches.
        "hidden = [128]
         init = \"glorot\"
         epochs = 50
         defects = []",
    ),
];

/// Name of each repair, the mistake that it removes, and the settings that it
/// replaces.
const REPAIRS: [(&str, Option<Defect>, &str); 6] = [
    ("gradient", Some(Defect::RawLogitGradient), ""),
    ("velocity", Some(Defect::MomentumOnWeights), ""),
    ("init", None, "init = \"glorot\""),
    ("hidden", None, "hidden = [128]"),
    ("best", Some(Defect::AliasedBest), ""),
    ("softmax", Some(Defect::WholeMatrixSoftmax), ""),
];

/// The recipe of this name, with the repairs that follow after a plus.
///
/// # Errors
/// One line that names the recipes or repairs there are.
pub(crate) fn find(name: &str) -> Result<Flags, String> {
    let mut parts = name.split('+');
    let first = parts.next().unwrap_or("");
    let recipe = RECIPES.iter().find(|(known, ..)| *known == first);
    let (_, base, lines) = recipe.ok_or_else(|| {
        let names = RECIPES.map(|(name, ..)| name).join(", ");
        format!("there is no recipe \"{first}\"; the recipes are {names}")
    })?;
    let parse = |lines| toml::from_str::<Flags>(lines).map_err(|error| error.to_string());
    let base = base.map(find).transpose()?.unwrap_or_default();
    parts.try_fold(parse(lines)?.or(base), |flags, part| {
        let repair = REPAIRS.iter().find(|(known, ..)| *known == part);
        let (_, defect, lines) = repair.ok_or_else(|| {
            let names = REPAIRS.map(|(name, ..)| name).join(", ");
            format!("there is no repair \"{part}\"; the repairs are {names}")
        })?;
        let flags = match defect {
            Some(defect) => flags.without(*defect),
            None => flags,
        };
        Ok(parse(lines)?.or(flags))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use handwritten::net::defects::Defects;
    use handwritten::{Batch, Init};

    fn settings(name: &str) -> Settings {
        find(name).unwrap().resolve().unwrap()
    }

    #[test]
    fn every_recipe_can_be_trained() {
        for (name, ..) in RECIPES {
            settings(name);
        }
    }

    #[test]
    fn a_repair_changes_one_thing() {
        let broken = settings("question");
        let mistakes = [
            Defect::RawLogitGradient,
            Defect::MomentumOnWeights,
            Defect::AliasedBest,
        ];
        assert_eq!(broken.training.defects, mistakes.into_iter().collect());
        assert_eq!(broken.training.batch, Batch::Full);

        let repaired = settings("question+velocity");
        let left = [Defect::RawLogitGradient, Defect::AliasedBest];
        assert_eq!(repaired.training.defects, left.into_iter().collect());
        let mut same = repaired;
        same.training.defects = broken.training.defects;
        assert_eq!(same, broken);

        let repaired = settings("question+init");
        assert_eq!(repaired.init, Init::Glorot);
        let same = Settings {
            init: broken.init,
            ..repaired
        };
        assert_eq!(same, broken);
    }

    #[test]
    fn with_every_repair_the_failing_run_is_the_mended_one() {
        let mut all = settings("question+gradient+velocity+init+hidden+best");
        assert_eq!(all.training.defects, Defects::NONE);
        all.training.epochs = 50;
        assert_eq!(all, settings("mended"));

        // The two published runs differ in what they report, and as the rate
        // goes with it in nothing else.
        let mut sum = settings("question-sum+softmax");
        let question = settings("question").training;
        assert_eq!(sum.training.defects, question.defects);
        sum.training = question;
        assert_eq!(sum, settings("question"));
    }

    #[test]
    fn names_that_are_not_known_are_answered_by_those_that_are() {
        let error = find("slow").unwrap_err();
        assert!(error.contains("quick, plain") && error.contains("\"slow\""));
        let error = find("question+luck").unwrap_err();
        assert!(error.contains("gradient, velocity") && error.contains("\"luck\""));
        assert!(find("").is_err() && find("question+").is_err());
    }
}
