//! Loading data sets.

use crate::compute::names::named;
use crate::compute::rng::{Stream, generator};
use crate::data::idx::Kind;
use crate::data::{Dataset, Orientation, stratified_split};
use crate::files::error::IoError;
use crate::files::formats::{
    Emnist, Family, Halves, Part, Reading, both, hashes, load_archives, load_part, load_unlabelled,
};
use crate::files::known::{Hash, KnownDataset, hex};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// One of so many training images is a test image where there are no others: MNIST has as
/// many of its 70 000.
const TEST_SHARE: usize = 7;

/// A data set with training and test images.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Corpus {
    /// The training images and their labels, in file order.
    pub train: Dataset,
    /// The test images and their labels, in file order.
    pub test: Dataset,
    /// The data set, if it is known by its content.
    pub source: KnownDataset,
    /// The fingerprint of the decompressed data: the SHA-256, in hexadecimal digits, of
    /// the SHA-256 (32 bytes each) of training images, training labels, test images
    /// and test labels, each as an IDX file, whatever the format. What a data set lacks is left
    /// out.
    pub fingerprint: String,
    /// The folder or the file that was named.
    pub dir: PathBuf,
    /// The names of the classes, one for each label of both parts: those of EMNIST, of the
    /// folders of images, or the labels as they are in the files.
    pub class_names: Vec<String>,
    /// Whether the images were turned upright, as [`Parts::is_turned`].
    pub is_turned: bool,
    /// Whether the test images were taken out of the training images, for want of others.
    pub is_split: bool,
}

/// The parts of a data set that a folder or a file has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parts {
    /// The training images, if there are any. Images of which nothing says to what part they
    /// belong are training images.
    pub train: Option<Dataset>,
    /// The test images, if there are any.
    pub test: Option<Dataset>,
    /// The data set, if it is known by its content.
    pub source: KnownDataset,
    /// The fingerprint of the data, as [`Corpus::fingerprint`].
    pub fingerprint: String,
    /// The folder or the file that was named.
    pub dir: PathBuf,
    /// The names of the classes, as [`Corpus::class_names`].
    pub class_names: Vec<String>,
    /// The format of the files.
    pub format: Format,
    /// Whether the images were turned upright: those of EMNIST are transposed in its files.
    pub is_turned: bool,
}

/// The format of the files of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// IDX files, as MNIST has them.
    Idx,
    /// Tables.
    Csv,
    /// A file for each array of NumPy.
    Npy,
    /// An archive of arrays of NumPy.
    Npz,
    /// Pictures in a folder for each class.
    Pictures,
}

named! { Format, "format of data":
    Idx = "IDX",
    Csv = "CSV",
    Npy = "npy",
    Npz = "npz",
    Pictures = "pictures",
}

/// Loads the data set at `path`: a folder, or a file of it.
///
/// In a folder the names of the files say what they are, and the format is told by their
/// content:
///
/// | format | names |
/// |---|---|
/// | IDX, gz or raw | `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte` and so on, also with words before them, such as `emnist-letters-` |
/// | CSV, gz or raw | `train.csv` and `test.csv`, or one table; see [`formats::read_csv`] |
/// | `.npz` | one archive with `x_train`, `y_train`, `x_test` and `y_test`, or with images and labels |
/// | `.npy` | `train_images.npy`, `train_labels.npy` and so on |
///
/// If the folder holds no such file, the folders one and two levels down are searched. There
/// must be one data set, unless the four IDX files without words before them are in the folder
/// itself. A file stands for all files of its data set, a test file for the test images
/// alone. Files of a place that differ in packing or by a number such as `(1)` must have the
/// same content. Images may have any size and labels any value, but labels from 1 on are
/// numbered from 0, with their names in [`Corpus::class_names`].
///
/// A data set without test images is split, as [`Parts::into_corpus`] does with seed 1.
///
/// ```no_run
/// use handwritten::data::{Split, Splits};
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::files;
///
/// let corpus = files::load(&files::find(None, &[])?)?;
/// let mut rng = generator(1, Stream::Split);
/// let splits = Splits::new(&corpus.train, &corpus.test, Split::Standard, &mut rng)?;
/// println!("{}: {} images to train", corpus.source, splits.train.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`formats::read_csv`]: crate::files::formats::read_csv
///
/// # Errors
/// A folder or file that is missing, cannot be read or is something else; several data sets or
/// none; data that are damaged; images and labels that differ in number; no training images.
pub fn load(path: &Path) -> Result<Corpus, IoError> {
    load_parts(path)?.into_corpus(1)
}

/// Loads the parts that there are of the data set at `path`, as [`load`] does.
///
/// # Errors
/// Everything that [`load`] finds. No training images are no error.
pub fn load_parts(path: &Path) -> Result<Parts, IoError> {
    let reading = Reading::of(path)?;
    let halves = match load_archives(&reading)? {
        Some(halves) => halves,
        None => {
            let part = |part| match part {
                Part::Train if reading.is_test_alone => Ok(None),
                part => load_part(&reading, part),
            };
            let (train, test) = both(|| part(Part::Train), || part(Part::Test));
            Halves {
                train: train?,
                test: test?,
            }
        }
    };
    let none = |half: &Option<_>| half.is_none();
    if none(&halves.train) && none(&halves.test) {
        // The test file of a table without labels.
        return Err(IoError::Unlabelled { path: path.into() });
    }
    let format = match reading.family {
        Family::Idx => Format::Idx,
        Family::Csv => Format::Csv,
        Family::Npy => Format::Npy,
        Family::Npz => Format::Npz,
    };
    let mut parts = Parts::of(path, halves, format);
    parts.name_classes(Emnist::of(&reading.set));
    Ok(parts)
}

/// Loads the images of the data set at `path`, as [`load`] finds it, to be classified: the test
/// images or, where there are none, the training images. They need no labels, and all labels
/// of the result are 0.
///
/// # Errors
/// Everything that [`load`] finds, except for labels and training images that are missing.
pub fn load_images(path: &Path) -> Result<Dataset, IoError> {
    let reading = Reading::of(path)?;
    if let Some(Halves { train, test }) = load_archives(&reading)? {
        let (mut images, _) = test
            .or(train)
            .ok_or(IoError::NoTest { path: path.into() })?;
        images.map_labels(|_| 0);
        return Ok(images);
    }
    let mut images = match load_unlabelled(&reading, Part::Test)? {
        Some(images) => images,
        None => load_unlabelled(&reading, Part::Train)?
            .ok_or_else(|| reading.missing(Part::Test, Kind::Images))?,
    };
    let is_emnist = Emnist::of(&reading.set).is_some();
    if is_emnist && Orientation::of(&images) != Orientation::Upright {
        images.transpose();
    }
    Ok(images)
}

impl Parts {
    /// Makes a data set of images in memory, whose classes have these names.
    ///
    /// # Panics
    /// Panics if there is neither a training nor a test image.
    pub fn new(
        dir: &Path,
        train: Option<Dataset>,
        test: Option<Dataset>,
        class_names: Vec<String>,
    ) -> Self {
        assert!(train.is_some() || test.is_some(), "no images");
        let hashed = |data: Dataset| {
            let hashes = hashes(&data);
            (data, hashes)
        };
        let halves = Halves {
            train: train.map(hashed),
            test: test.map(hashed),
        };
        let mut parts = Self::of(dir, halves, Format::Pictures);
        parts.class_names = class_names;
        parts
    }

    fn of(dir: &Path, halves: Halves, format: Format) -> Self {
        let Halves { train, test } = halves;
        let hashes = [&train, &test].map(|half| half.as_ref().map(|(_, hashes)| *hashes));
        let there: Vec<Hash> = hashes.into_iter().flatten().flatten().collect();
        Self {
            source: KnownDataset::of(hashes),
            fingerprint: hex(&Sha256::digest(there.as_flattened()).into()),
            train: train.map(|(data, _)| data),
            test: test.map(|(data, _)| data),
            dir: dir.into(),
            class_names: vec![],
            format,
            is_turned: false,
        }
    }

    /// Both parts, those that there are.
    fn halves(&mut self) -> impl Iterator<Item = &mut Dataset> {
        [&mut self.train, &mut self.test].into_iter().flatten()
    }

    /// Names the classes, numbers them from 0, and turns the images of EMNIST upright.
    fn name_classes(&mut self, emnist: Option<Emnist>) {
        let lowest = self
            .halves()
            .flat_map(|data| data.labels().iter().copied())
            .min();
        let classes = self.halves().map(|data| data.classes()).max().unwrap_or(0);
        let numbers = (0..classes).map(|class| class.to_string());
        self.class_names = numbers.collect();
        if let Some(Emnist {
            classes: names,
            first_label,
        }) = emnist
        {
            self.turn_upright();
            let last = usize::from(first_label) + names.len();
            if lowest.is_some_and(|lowest| lowest >= first_label) && classes <= last {
                self.class_names = names;
                self.halves()
                    .for_each(|data| data.map_labels(|label| label - first_label));
                return;
            }
        }
        // Of test images alone a class may be missing.
        if lowest == Some(1) && self.train.is_some() {
            self.class_names.remove(0);
            self.halves()
                .for_each(|data| data.map_labels(|label| label - 1));
        }
    }

    /// Transposes images of EMNIST, unless they have been: letters are taller than wide.
    fn turn_upright(&mut self) {
        let is_upright = |data: &mut Dataset| Orientation::of(data) == Orientation::Upright;
        if !self.halves().next().is_some_and(is_upright) {
            self.halves().for_each(Dataset::transpose);
            self.is_turned = true;
        }
    }

    /// The data set with training and test images. Where there are no test images, one of
    /// seven training images becomes one, chosen by the seed, with equal shares of each class.
    ///
    /// # Errors
    /// No training images, or a single one.
    pub fn into_corpus(self, seed: u64) -> Result<Corpus, IoError> {
        let dir = self.dir;
        let Some(mut train) = self.train else {
            return Err(IoError::NoTraining { path: dir });
        };
        let is_split = self.test.is_none();
        let test = match self.test {
            Some(test) => test,
            None if train.len() < 2 => return Err(IoError::NoTest { path: dir }),
            None => {
                let count = (train.len() / TEST_SHARE).max(1);
                let mut rng = generator(seed, Stream::TestPart);
                let (_, mut chosen) = stratified_split(train.labels(), count, &mut rng);
                chosen.sort_unstable();
                train.take_out(&chosen)
            }
        };
        Ok(Corpus {
            train,
            test,
            source: self.source,
            fingerprint: self.fingerprint,
            dir,
            class_names: self.class_names,
            is_turned: self.is_turned,
            is_split,
        })
    }
}
