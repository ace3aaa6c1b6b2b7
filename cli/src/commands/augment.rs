//! `handwritten augment`: images before and after their distortion.

use super::data::sheet;
use super::refuse_taken;
use crate::args::AugmentArgs;
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::output;
use crate::settings::distortion;
use crate::setup;
use handwritten::data::{Dataset, Distorter, Distortion, ImageSource, Normalisation};
use handwritten::files::write_atomic;

/// Pictures of an image: as it is, and distorted in as many epochs less one, the first of them
/// and the last among them.
const PICTURES: usize = 10;

/// Writes the first image of each class, before its distortion and after it.
pub(super) fn run(args: &AugmentArgs) -> Result<(), Failure> {
    refuse_taken(&[&args.out], args.force)?;
    let distortion = distortion(Some(&args.distort))?.unwrap_or(Distortion::NONE);
    let mut parts = setup::load_parts(args.path.as_deref(), Fit::as_mnist(args.as_is))?;
    let part = parts.train.as_mut().or(parts.test.as_mut());
    let data = part.ok_or_else(|| Failure::new("the data set has no images"))?;
    // As the net sees them, bright on dark.
    Normalisation::of(data).apply(data);

    let images = sheet::firsts(data, 1);
    let epochs = args.epochs.get();
    let mut distorter = Distorter::new(data, distortion, args.seed, epochs);
    let mut rows: Vec<Vec<Vec<u8>>> = images
        .iter()
        .map(|images| images.iter().map(|&i| data.image(i).to_vec()).collect())
        .collect();
    for step in 0..PICTURES - 1 {
        distorter.start_epoch(1 + step * (epochs - 1) / (PICTURES - 2));
        for (row, images) in rows.iter_mut().zip(&images) {
            row.extend(images.iter().map(|&i| image(&distorter, i)));
        }
    }
    write_atomic(&args.out, &sheet::grid(data.rows(), data.columns(), &rows)?)
        .map_err(Failure::caused)?;
    output::result(&format!(
        "{}: the first image of each of {} classes, and how epochs 1 to {epochs} distort it \
         ({distortion}, seed {})",
        args.out.display(),
        Dataset::classes(data),
        args.seed
    ))
}

/// An image as an epoch of a training sees it.
fn image(distorter: &Distorter<'_>, index: usize) -> Vec<u8> {
    let mut pixels = vec![0; distorter.features()];
    // A data set has fewer than 2³² images.
    distorter.write(index as u32, 0, &mut pixels);
    pixels
}
