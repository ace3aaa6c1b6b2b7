//! Means of class probabilities: over several nets, and over shifted copies of each image.

use crate::compute::vector;
use crate::net::NetRef;
use crate::step::pass::CHUNK;
use crate::step::workspace::Workspace;
use alloc::{vec, vec::Vec};

/// Maximum number of images whose copies are made at a time: the threads of a workspace are
/// woken once for so many.
const IMAGES: usize = 4 * CHUNK;

/// Computes means of class probabilities, over the nets of an ensemble and over copies of each
/// image that are shifted by whole pixels.
///
/// Holds the memory that this takes besides a [`Workspace`].
///
/// ```
/// use handwritten::{Activation, MeanProbabilities, NetRef, Workspace};
///
/// let params = [4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
/// let net = NetRef::new(&[2, 1, 2], Activation::Sigmoid, &params);
/// let mut workspace = Workspace::new(net.widths(), 1);
/// // Images of one row and two columns, each as it is, without copies.
/// let mut mean = MeanProbabilities::new((1, 2), 2, 0);
/// let mut probs = [0.0; 4];
/// mean.compute(&mut workspace, &[net, net], &[255, 0, 0, 255], &mut probs);
/// assert!(probs[0] > probs[1] && probs[2] < probs[3]);
/// ```
#[derive(Clone, Debug)]
pub struct MeanProbabilities {
    rows: usize,
    columns: usize,
    classes: usize,
    shifts: usize,
    /// Copies of images, all shifted alike.
    copies: Vec<u8>,
    /// Their probabilities.
    probs: Vec<f32>,
}

impl MeanProbabilities {
    /// Means for images of `rows` by `columns` pixels and nets of so many classes, over the
    /// (2·shifts + 1)² copies of each image that are shifted by up to `shifts` pixels in both
    /// directions. Pixels that a shift uncovers are 0; with 0 shifts there is no other copy
    /// than the image.
    ///
    /// # Panics
    /// Panics if `shifts` is not below both sides of an image.
    pub fn new((rows, columns): (usize, usize), classes: usize, shifts: usize) -> Self {
        assert!(
            shifts == 0 || shifts < rows.min(columns),
            "shifts of {shifts} pixels of images of {rows}×{columns}"
        );
        Self {
            rows,
            columns,
            classes,
            shifts,
            copies: vec![],
            probs: vec![],
        }
    }

    /// Computes the mean probabilities of images, for each class.
    ///
    /// Shapes: `images` is B×D, a byte for each input, which is divided by 255; `probs` is B×C.
    /// B may be any number of images.
    ///
    /// Probabilities are added in single precision: shift by shift, first those to the top, of
    /// these first those to the left, and for each of them net by net; the sum is multiplied by
    /// the reciprocal of their number. So the result has the same bits for any number of threads
    /// and images. Where the logits of a net are not finite, the probabilities are not either.
    ///
    /// # Panics
    /// Panics if there is no net, if a net has other widths than the workspace, or if the shapes
    /// do not fit them.
    pub fn compute(
        &mut self,
        workspace: &mut Workspace,
        nets: &[NetRef<'_>],
        images: &[u8],
        probs: &mut [f32],
    ) {
        let (features, classes) = (self.rows * self.columns, self.classes);
        assert!(!nets.is_empty(), "a mean of no nets");
        let count = images.len() / features;
        assert!(
            images.len() == count * features && probs.len() == count * classes,
            "{} bytes of images of {features}, {} probabilities of {classes} classes",
            images.len(),
            probs.len()
        );
        let reach = self.shifts as isize;
        let number = (2 * self.shifts + 1).pow(2) * nets.len();
        let isa = workspace.isa();
        let images = images.chunks(IMAGES * features);
        for (images, sums) in images.zip(probs.chunks_mut(IMAGES * classes)) {
            sums.fill(0.0);
            self.probs.resize(sums.len(), 0.0);
            for down in -reach..=reach {
                for right in -reach..=reach {
                    let copies = match (down, right) {
                        (0, 0) => images,
                        shift => {
                            self.shift(images, shift);
                            &self.copies[..]
                        }
                    };
                    for &net in nets {
                        workspace.probabilities(net, copies, &mut self.probs);
                        vector::add(isa, sums, &self.probs);
                    }
                }
            }
            let share = 1.0 / number as f32;
            sums.iter_mut().for_each(|sum| *sum *= share);
        }
    }

    /// Makes copies of images whose pixels lie so far further down and to the right.
    fn shift(&mut self, images: &[u8], (down, right): (isize, isize)) {
        self.copies.clear();
        self.copies.resize(images.len(), 0);
        // Where a range of pixels lies before and after it is moved.
        let moved = |by: isize, len: usize| {
            let by_len = len - by.unsigned_abs();
            match by < 0 {
                true => (by.unsigned_abs()..len, 0..by_len),
                false => (0..by_len, by.unsigned_abs()..len),
            }
        };
        let (from_rows, to_rows) = moved(down, self.rows);
        let (from_columns, to_columns) = moved(right, self.columns);
        let features = self.rows * self.columns;
        let pairs = images
            .chunks_exact(features)
            .zip(self.copies.chunks_exact_mut(features));
        for (image, copy) in pairs {
            for (from, to) in from_rows.clone().zip(to_rows.clone()) {
                let row = &image[from * self.columns..][..self.columns];
                copy[to * self.columns..][..self.columns][to_columns.clone()]
                    .copy_from_slice(&row[from_columns.clone()]);
            }
        }
    }
}
