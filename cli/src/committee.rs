//! Nets that answer together: those of an ensemble, each also on shifted copies of an image.

use crate::failure::Failure;
use crate::memory;
use crate::run_folder::model;
use crate::setup::Engine;
use handwritten::compute::vector;
use handwritten::data::Subset;
use handwritten::files::model::{Metadata, Model};
use handwritten::net::{activations_len, loss};
use handwritten::{Context, Evaluation, MatRef, MeanProbabilities, NetRef, Workspace};
use std::path::Path;

/// One net or several whose probabilities are averaged, over shifted copies of each image too.
pub(crate) struct Committee {
    models: Vec<Model>,
    shifts: usize,
}

impl Committee {
    /// Reads a model file or that of a run's folder, of one net or an ensemble, to answer by the
    /// copies of an image that are shifted by up to so many pixels.
    ///
    /// # Errors
    /// No model, and shifts that leave nothing of an image.
    pub(crate) fn read(named: &Path, shifts: usize) -> Result<Self, Failure> {
        let models = model::read_all(named)?;
        let (rows, columns) = models[0].metadata.image;
        if shifts >= rows.min(columns) {
            return Err(Failure::usage(format!(
                "--shifts {shifts} leaves nothing of images of {rows}×{columns} pixels"
            )));
        }
        Ok(Self { models, shifts })
    }

    /// The nets of models, of which there is at least one, on images as they are.
    pub(crate) fn new(models: Vec<Model>) -> Self {
        Self { models, shifts: 0 }
    }

    /// The first model, whose metadata on images and classes are those of all.
    pub(crate) fn first(&self) -> &Model {
        &self.models[0]
    }

    /// The metadata of the first model.
    pub(crate) fn about(&self) -> &Metadata {
        &self.models[0].metadata
    }

    /// The widths of each net.
    pub(crate) fn widths(&self) -> &[usize] {
        self.models[0].net.widths()
    }

    /// The only net, if there are no others and no copies.
    pub(crate) fn only(&self) -> Option<NetRef<'_>> {
        match &self.models[..] {
            [model] if self.shifts == 0 => Some(model.net.view()),
            _ => None,
        }
    }

    /// The probability of each class, for each of some images that lie one after the other.
    pub(crate) fn probabilities(
        &self,
        workspace: &mut Workspace,
        pixels: &[u8],
    ) -> Result<Vec<f32>, Failure> {
        let about = self.about();
        let classes = about.classes.len();
        let images = pixels.len() / self.widths()[0];
        let bytes = images * classes * size_of::<f32>();
        memory::require(bytes, format_args!("classify {images} images"))?;
        let nets: Vec<NetRef<'_>> = self.models.iter().map(|model| model.net.view()).collect();
        let mut probs = vec![0.0; images * classes];
        let mut mean = MeanProbabilities::new(about.image, classes, self.shifts);
        mean.compute(workspace, &nets, pixels, &mut probs);
        Ok(probs)
    }

    /// Loss and predictions on images, with the bits of a training if there is one net and no
    /// copies.
    pub(crate) fn evaluate(
        &self,
        workspace: &mut Workspace,
        images: &Subset<'_>,
    ) -> Result<Evaluation, Failure> {
        let reduction = self.about().reduction;
        if let Some(net) = self.only() {
            return Ok(workspace.evaluate(net, images, reduction));
        }
        let (pixels, labels) = copied(images)?;
        let probs = self.probabilities(workspace, &pixels)?;
        let classes = self.about().classes.len();
        Ok(Evaluation::of_probabilities(
            &probs, &labels, classes, reduction,
        ))
    }

    /// The probability of each class for one image of any inputs.
    pub(crate) fn probabilities_of(&self, engine: Engine, input: &[f32]) -> Vec<f32> {
        let reach = self.shifts as isize;
        let mut packing = Context::packing(1);
        let mut ctx = Context::new(1, &mut packing).with_isa(engine.isa);
        let mut activations = vec![0.0; activations_len(self.widths(), 1)];
        let mut sums = vec![0.0; self.about().classes.len()];
        let mut count = 0;
        // In the order of `MeanProbabilities`.
        for down in -reach..=reach {
            for right in -reach..=reach {
                let copy = shifted(input, self.about().image, (down, right));
                for model in &self.models {
                    let x = MatRef::new(&copy, 1, copy.len());
                    let logits = model.net.view().forward(x, &mut activations, &mut ctx);
                    let mut probs = logits.row(0).to_vec();
                    loss::softmax(engine.isa, &mut probs);
                    vector::add(engine.isa, &mut sums, &probs);
                    count += 1;
                }
            }
        }
        let share = 1.0 / count as f32;
        sums.iter_mut().for_each(|sum| *sum *= share);
        sums
    }
}

/// The pixels of images, one image after the other, and their labels.
pub(crate) fn copied(images: &Subset<'_>) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let bytes = images.len() * images.dataset().features();
    memory::require(bytes, format_args!("copy {} images", images.len()))?;
    let (mut pixels, mut labels) = (Vec::with_capacity(bytes), vec![]);
    for (image, label) in images.iter() {
        pixels.extend_from_slice(image);
        labels.push(label);
    }
    Ok((pixels, labels))
}

/// An image whose pixels lie so far further down and to the right.
fn shifted(
    image: &[f32],
    (rows, columns): (usize, usize),
    (down, right): (isize, isize),
) -> Vec<f32> {
    let mut copy = vec![0.0; image.len()];
    for row in 0..rows {
        for column in 0..columns {
            let to = row
                .checked_add_signed(down)
                .zip(column.checked_add_signed(right));
            if let Some((to_row, to_column)) = to.filter(|&(i, j)| i < rows && j < columns) {
                copy[to_row * columns + to_column] = image[row * columns + column];
            }
        }
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use handwritten::compute::rng::{Stream, generator};
    use handwritten::files::model::{decode, encode};
    use handwritten::{Activation, Init, Net};

    #[test]
    fn a_picture_is_answered_as_an_image_of_a_data_set() {
        let about = Metadata::new((3, 4), ["a", "b"].map(String::from).to_vec());
        let mut rng = generator(1, Stream::Weights);
        let models = [Init::Glorot, Init::He].map(|init| {
            let net = Net::random(&[12, 5, 2], Activation::Tanh, init, &mut rng);
            decode(&encode(&net, &about).unwrap()).unwrap()
        });
        let engine = Engine::from_env().unwrap();
        for shifts in [0, 1, 2] {
            let committee = Committee {
                models: models.to_vec(),
                shifts,
            };
            let pixels = [0, 9, 200, 0, 255, 0, 31, 0, 0, 77, 0, 128];
            let mut input = [0.0; 12];
            vector::scale_bytes(engine.isa, &pixels, &mut input);
            let mut workspace = engine.workspace(&[12, 5, 2], 1, 0, "a test").unwrap();
            let expected = committee.probabilities(&mut workspace, &pixels).unwrap();
            assert_eq!(committee.probabilities_of(engine, &input), expected);
        }
    }
}
