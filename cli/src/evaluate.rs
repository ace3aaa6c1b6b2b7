//! `handwritten evaluate`: the test figures of a model, from its file.

use super::args::EvaluateArgs;
use super::model::{load_data, read};
use super::{Failure, isa, output, report};
use handwritten::Workspace;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Splits, Subset};

/// Evaluates a model on the test images of its own run; on other data, on the
/// whole test file.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let isa = isa()?;
    let model = read(&args.model)?;
    let (net, about) = (model.net.view(), &model.metadata);
    args.common.pool()?.install(|| {
        let loaded = load_data(&model, args.data.as_deref())?;
        let test = if loaded.fingerprint == about.data_sha256 {
            let mut rng = generator(about.seed, Stream::Split);
            Splits::new(&loaded.train, &loaded.test, about.split, &mut rng)
                .map_err(Failure::new)?
                .test
        } else {
            output::remark(&format!(
                "the model was trained on other data ({}): evaluating all test images in {} ({})",
                about.data,
                loaded.dir.display(),
                loaded.source
            ));
            Subset::all(&loaded.test)
        };
        let threads = rayon::current_num_threads();
        let mut workspace = Workspace::new(net.widths(), threads).with_isa(isa);
        let evaluation = workspace.evaluate(net, &test, about.reduction);
        if !evaluation.loss.is_finite() {
            return Err(Failure::new(format!(
                "{}: the weights are so large that the loss is not finite",
                args.model.display()
            )));
        }
        output::result(&if args.common.json {
            report::test_json(&evaluation, &about.classes).to_string()
        } else {
            report::test_text(&evaluation, &about.classes)
        })
    })
}
