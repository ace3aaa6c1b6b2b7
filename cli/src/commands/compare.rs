//! `handwritten compare`: whether two trainings differ by more than chance.

use crate::args::CompareArgs;
use crate::committee::{Committee, copied};
use crate::failure::Failure;
use crate::output;
use crate::output::report::grouped;
use crate::run_folder::{SEEDS_TABLE, model};
use crate::setup::{self, Engine, TestImages};
use crate::statistics::{Sample, mcnemar};
use handwritten::compute::vector;
use handwritten::data::Subset;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// The probability by chance below which two trainings are said to differ.
const LEVEL: f64 = 0.05;

/// Compares two models on the test images of both, or trainings of several seeds by their test
/// accuracies.
pub(super) fn run(args: &CompareArgs) -> Result<(), Failure> {
    let paths = [&*args.one, &*args.other];
    match paths.iter().all(|path| path.join(SEEDS_TABLE).is_file()) {
        true => compare_seeds(args, paths),
        false => compare_models(args, paths),
    }
}

/// Says which of two is better, or that chance may explain the difference.
fn verdict(p: f64, is_other_better: bool, [one, other]: [&Path; 2]) -> String {
    let shown = match p < 1e-4 {
        true => "p < 0.0001".to_string(),
        false => format!("p = {p:.4}"),
    };
    if p >= LEVEL {
        return format!("{shown}: no difference is shown");
    }
    let better = if is_other_better { other } else { one };
    format!("{shown}: they differ, {} is better", better.display())
}

/// McNemar's test on the images that test both models.
fn compare_models(args: &CompareArgs, paths: [&Path; 2]) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let threads = args.common.threads()?;
    let [one, other] = paths.map(|path| Committee::read(path, 0));
    let (one, other) = (one?, other?);
    let (about, others) = (one.about(), other.about());
    if about.classes != others.classes {
        return Err(Failure::new("the models do not have the same classes"));
    }
    if args.data.is_none() && about.data_sha256 != others.data_sha256 {
        return Err(Failure::new(
            "the models were trained on different data: --data names images to compare them on",
        ));
    }
    let load = |committee: &Committee| {
        setup::load_for(committee.first(), args.data.as_deref(), args.as_is)
    };
    let tests = [load(&one)?, load(&other)?];
    let common = common_images(&tests);
    if common.is_empty() {
        return Err(Failure::new("no image tests both models"));
    }
    let mut right = vec![];
    for (committee, test) in [&one, &other].into_iter().zip(&tests) {
        let mut workspace = engine.workspace(committee.widths(), threads, 0, "the model")?;
        let images = Subset::new(&test.images, common.clone());
        let (pixels, labels) = copied(&images)?;
        let probs = committee.probabilities(&mut workspace, &pixels)?;
        let rows = probs.chunks_exact(committee.about().classes.len());
        let are_right = rows
            .zip(labels)
            .map(|(probs, label)| vector::argmax(probs) == usize::from(label));
        right.push(are_right.collect::<Vec<bool>>());
    }
    let only = |own: &[bool], other: &[bool]| {
        let pairs = own.iter().zip(other);
        pairs.filter(|&(own, other)| *own && !*other).count()
    };
    let (first, second) = (only(&right[0], &right[1]), only(&right[1], &right[0]));
    let p = mcnemar(first, second);
    if args.common.json {
        let event = json!({
            "event": "compare",
            "images": common.len(),
            "right_only": [first, second],
            "p": p,
            "differ": p < LEVEL,
        });
        return output::result(&event.to_string());
    }
    output::result(&format!(
        "of {} test images {} alone classifies {first} rightly, {} alone {second}; McNemar's exact \
         test, {}",
        grouped(common.len() as u64),
        paths[0].display(),
        paths[1].display(),
        verdict(p, second > first, paths)
    ))
}

/// The images that test both models; all of them where a model has none of its own there.
fn common_images(tests: &[TestImages; 2]) -> Vec<u32> {
    let own = |test: &TestImages| match &test.own {
        Some(own) => own.clone(),
        None => Subset::all(&test.images).indices().to_vec(),
    };
    let other: HashSet<u32> = own(&tests[1]).into_iter().collect();
    let common = own(&tests[0]).into_iter();
    common.filter(|image| other.contains(image)).collect()
}

/// Student's t-test on the differences of the test accuracies of each seed.
fn compare_seeds(args: &CompareArgs, paths: [&Path; 2]) -> Result<(), Failure> {
    if args.data.is_some() || args.as_is {
        return Err(Failure::usage(
            "trainings of several seeds are compared by their own tables: leave --data and --as-is \
             out",
        ));
    }
    let models = [model::read(paths[0])?, model::read(paths[1])?];
    let [about, others] = [&models[0].metadata, &models[1].metadata];
    if (&about.data_sha256, about.split) != (&others.data_sha256, others.split) {
        return Err(Failure::new(
            "the trainings were tested on different images: their data or splits differ",
        ));
    }
    let (one, other) = (accuracies(paths[0])?, accuracies(paths[1])?);
    let pairs = one
        .iter()
        .filter_map(|(seed, one)| Some((*seed, other.get(seed)? - one)));
    let (seeds, differences): (Vec<u64>, Vec<f64>) = pairs.unzip();
    let sample = Sample::of(&differences);
    let (Some(deviation), Some(half), Some(p)) = (
        sample.deviation,
        sample.half_width(),
        sample.p_of_no_difference(),
    ) else {
        return Err(Failure::new(format!(
            "the trainings have {} seeds in common, and the test takes two or more",
            seeds.len()
        )));
    };
    let mean = sample.mean;
    if args.common.json {
        let event = json!({
            "event": "compare",
            "seeds": seeds,
            "mean_difference": mean,
            "deviation": deviation,
            "interval_95": [mean - half, mean + half],
            "p": p,
            "differ": p < LEVEL,
        });
        return output::result(&event.to_string());
    }
    output::result(&format!(
        "from {} to {} the test accuracy of {} common seeds changes by {:+.3} points in the mean \
         (sd {:.3}, 95 % interval {:+.3} to {:+.3}); paired t-test, {}",
        paths[0].display(),
        paths[1].display(),
        seeds.len(),
        100.0 * mean,
        100.0 * deviation,
        100.0 * (mean - half),
        100.0 * (mean + half),
        verdict(p, mean > 0.0, paths)
    ))
}

/// The test accuracy of each seed, by the table in a folder.
fn accuracies(folder: &Path) -> Result<BTreeMap<u64, f64>, Failure> {
    let path = folder.join(SEEDS_TABLE);
    let unusable = |why: &str| Failure::new(format!("{} cannot be used: {why}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| unusable(&error.to_string()))?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let place = |name| names.iter().position(|found| *found == name);
    let (Some(seed), Some(accuracy)) = (place("seed"), place("test_accuracy")) else {
        return Err(unusable("it has no columns seed and test_accuracy"));
    };
    let parsed = lines.map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let seed = fields.get(seed)?.parse().ok()?;
        let accuracy: f64 = fields.get(accuracy)?.parse().ok()?;
        accuracy.is_finite().then_some((seed, accuracy))
    });
    let rows: Option<BTreeMap<u64, f64>> = parsed.collect();
    rows.ok_or_else(|| unusable("a row is no seed with its figures"))
}
