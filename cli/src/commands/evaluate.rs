//! `handwritten evaluate`: the test figures of a trained net, from its file.

use crate::args::EvaluateArgs;
use crate::committee::Committee;
use crate::failure::Failure;
use crate::output::{self, report};
use crate::setup::{self, Engine};
use handwritten::data::Subset;

/// Evaluates a model on the test images of its own run; on other data, on the
/// whole test file.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let committee = Committee::read(&args.model, args.shifts)?;
    let about = committee.about();
    let threads = args.common.threads()?;
    let test = setup::load_for(committee.first(), args.data.as_deref(), args.as_is)?;
    let test = match test.own {
        Some(own) => Subset::new(&test.images, own),
        None => {
            output::remark(&format!(
                "the model was trained on other data ({}): evaluating all test images in {} ({})",
                about.data,
                test.dir.display(),
                test.source
            ));
            Subset::all(&test.images)
        }
    };
    let mut workspace = engine.workspace(committee.widths(), threads, 0, args.model.display())?;
    let evaluation = committee.evaluate(&mut workspace, &test)?;
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
}
