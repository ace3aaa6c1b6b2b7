//! `handwritten show`: images in the terminal.

use crate::args::ShowImagesArgs;
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::output;
use crate::output::blocks::Blocks;
use crate::output::report::grouped;
use crate::report::Source;
use crate::setup::{self, Engine};
use std::path::Path;

/// Shows single images of a data set, or the mistakes of a run.
pub(super) fn run(args: &ShowImagesArgs) -> Result<(), Failure> {
    match &args.which.mistakes {
        Some(run) => mistakes(args, run),
        None => single(args),
    }
}

fn single(args: &ShowImagesArgs) -> Result<(), Failure> {
    let parts = setup::load_parts(args.data.as_deref(), Fit::as_mnist(false))?;
    let images = parts.test.as_ref().or(parts.train.as_ref());
    let images = images.ok_or_else(|| Failure::new("no images"))?;
    let mut blocks = Blocks::new((images.rows(), images.columns()));
    for &index in &args.which.index {
        if index >= images.len() {
            return Err(Failure::usage(format!(
                "--index must be below {}, the number of images in {}, and is {index}",
                images.len(),
                parts.dir.display()
            )));
        }
        let label = usize::from(images.label(index));
        let name = parts.class_names.get(label).map_or("?", String::as_str);
        blocks.add(images.image(index), &format!("#{index} {name}"));
    }
    output::result(&blocks.text())
}

fn mistakes(args: &ShowImagesArgs, run: &Path) -> Result<(), Failure> {
    let source = Source::read(run, args.data.as_deref())?;
    let test = source.test();
    let run = source.run(Engine::from_env()?, 1, &test)?;
    let mut blocks = Blocks::new(run.image_sides());
    for (number, image, caption) in run.mistakes().take(args.count) {
        blocks.add(image, &format!("#{number} {caption}"));
    }
    let (all, images) = (run.mistakes().count(), test.len());
    output::result(&blocks.text())?;
    output::remark(&format!(
        "{} of {} mistakes on {} test images",
        grouped(args.count.min(all) as u64),
        grouped(all as u64),
        grouped(images as u64)
    ));
    Ok(())
}
