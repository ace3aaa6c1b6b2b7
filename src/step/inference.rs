//! Answers for many images at once: logits and classes.

use crate::compute::thread_team::WORK_PER_WOKEN_THREAD;
use crate::compute::vector;
use crate::net::NetRef;
use crate::net::loss::softmax;
use crate::step::pass::CHUNK;
use crate::step::workspace::Workspace;

impl Workspace {
    /// Computes the logits of images, one for each class, with the bits of
    /// [`NetRef::logits`] on the same instruction set but for the sign of zeros.
    ///
    /// Shapes: `images` is B×D, a byte for each input, which is divided by 255; `logits` is
    /// B×C. B may be any number of images.
    ///
    /// ```
    /// use handwritten::{Activation, NetRef, Workspace};
    ///
    /// let params = [4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
    /// let net = NetRef::new(&[2, 1, 2], Activation::Sigmoid, &params);
    /// let mut workspace = Workspace::new(net.widths(), 1);
    /// let images = [255, 0, 0, 255, 0, 0];
    /// let (mut logits, mut classes) = ([0.0; 6], [9; 3]);
    /// workspace.logits(net, &images, &mut logits);
    /// workspace.classify(net, &images, &mut classes);
    /// let mut probabilities = [0.0; 6];
    /// workspace.probabilities(net, &images, &mut probabilities);
    /// assert!(probabilities.chunks(2).all(|row| (row[0] + row[1] - 1.0).abs() < 1e-6));
    /// assert_eq!(classes, [0, 1, 0]);
    /// assert!(logits[0] > logits[1] && logits[2] < logits[3]);
    /// ```
    ///
    /// # Panics
    /// Panics if the net has other widths than the workspace, or if the shapes do not fit them.
    pub fn logits(&mut self, net: NetRef<'_>, images: &[u8], logits: &mut [f32]) {
        let classes = self.classes();
        let count = self.count_images(images);
        assert_eq!(logits.len(), count * classes, "logits of {count} images");
        let mut rest = logits;
        self.for_each_chunk(net, images, |chunk| {
            if let Some(out) = rest.split_off_mut(..chunk.len()) {
                out.copy_from_slice(chunk);
            }
        });
    }

    /// Computes the probabilities of the classes of images: [`Workspace::logits`] and
    /// [`softmax`].
    ///
    /// Shapes: `images` is B×D, a byte for each input, which is divided by 255; `probabilities` is
    /// B×C. B may be any number of images.
    ///
    /// # Panics
    /// Panics where [`Workspace::logits`] does.
    ///
    /// [`softmax`]: crate::net::loss::softmax
    pub fn probabilities(&mut self, net: NetRef<'_>, images: &[u8], probabilities: &mut [f32]) {
        self.logits(net, images, probabilities);
        let (isa, classes) = (self.isa(), self.classes());
        for row in probabilities.chunks_exact_mut(classes) {
            softmax(isa, row);
        }
    }

    /// Classifies images: writes the class of the largest logit of each of them, the first of
    /// equal ones.
    ///
    /// Shapes: `images` is B×D, a byte for each input, which is divided by 255; `classes` has B
    /// elements. B may be any number of images.
    ///
    /// # Panics
    /// Panics where [`Workspace::logits`] does.
    pub fn classify(&mut self, net: NetRef<'_>, images: &[u8], classes: &mut [usize]) {
        let width = self.classes();
        let count = self.count_images(images);
        assert_eq!(classes.len(), count, "classes of {count} images");
        let mut classes = classes.iter_mut();
        self.for_each_chunk(net, images, |chunk| {
            for (logits, class) in chunk.chunks_exact(width).zip(&mut classes) {
                *class = vector::argmax(logits);
            }
        });
    }

    /// The number of classes of the nets that this is for.
    fn classes(&self) -> usize {
        self.widths()[self.widths().len() - 1]
    }

    /// The number of images in these bytes.
    fn count_images(&self, images: &[u8]) -> usize {
        let features = self.widths()[0];
        let is_whole = images.len().is_multiple_of(features);
        assert!(is_whole, "{} bytes of images of {features}", images.len());
        images.len() / features
    }

    /// Calls `take` with the logits of a chunk of images after the other.
    fn for_each_chunk(&mut self, net: NetRef<'_>, images: &[u8], mut take: impl FnMut(&[f32])) {
        assert_eq!(net.widths(), self.widths(), "a net and its workspace");
        let features = self.widths()[0];
        let threads = self.pieces(images.len() / features, WORK_PER_WOKEN_THREAD);
        let is_finite = vector::all_finite(self.isa(), net.layer(0).weights.as_slice());
        self.with_team(threads, |this, team| {
            for chunk in images.chunks(CHUNK * features) {
                take(this.chunk_logits(team, net, chunk, is_finite));
            }
        });
    }
}
