//! `handwritten classify`: which digit an image shows.

use super::args::ClassifyArgs;
use super::model::read;
use super::picture::Picture;
use super::{Failure, isa, output};
use handwritten::compute::vector;
use handwritten::files::KnownDataset;
use handwritten::net::activations_len;
use handwritten::net::loss;
use handwritten::{Context, MatRef};
use serde_json::json;

/// Prints the most probable classes of each image. All images are read before
/// anything is printed.
pub(super) fn run(args: &ClassifyArgs) -> Result<(), Failure> {
    let isa = isa()?;
    let model = read(&args.model)?;
    let (rows, columns) = model.metadata.image;
    let as_mnist = model.metadata.data == KnownDataset::Mnist.to_string();
    let pictures = args.images.iter().map(|path| Picture::read(path));
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;

    let net = model.net.view();
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing).with_isa(isa);
    let mut activations = vec![0.0; activations_len(net.widths(), 1)];
    for (path, picture) in args.images.iter().zip(pictures) {
        let input = picture.fitted(rows, columns, as_mnist);
        let x = MatRef::new(&input, 1, input.len());
        let mut probs = net.forward(x, &mut activations, &mut ctx).row(0).to_vec();
        loss::softmax(isa, &mut probs);
        if !vector::all_finite(isa, &probs) {
            return Err(Failure::new(format!(
                "{}: the weights are so large that the outputs on {} are not finite",
                args.model.display(),
                path.display()
            )));
        }
        let class = vector::argmax(&probs);
        let names = &model.metadata.classes;
        output::result(&if args.json {
            let event = json!({
                "event": "class",
                "image": path.display().to_string(),
                "class": names[class],
                "probabilities": probs,
            });
            event.to_string()
        } else {
            let mut order: Vec<usize> = (0..probs.len()).collect();
            order.sort_by(|&i, &j| probs[j].total_cmp(&probs[i]));
            let share = |&i: &usize| format!("{} {:.1} %", names[i], 100.0 * probs[i]);
            let likely: Vec<String> = order.iter().take(3).map(share).collect();
            format!(
                "{}: {}  ({})",
                path.display(),
                names[class],
                likely.join(", ")
            )
        })?;
    }
    Ok(())
}
