//! Checkpoints: the state of a run between two steps, and its bytes.
//!
//! ```text
//! magic    8 bytes   89 "HWCKPT" 0A
//! version  u32       5
//! length   u64       of what follows, without the checksum
//! run      …         the fields of [`Checkpoint`] in order, then what the caller adds
//! crc32    u32       of all bytes before it (IEEE 802.3)
//! ```
//!
//! All numbers are little-endian; floating-point numbers keep their bits. Every version
//! that was ever written stays readable: a change of the format gets a new number, and
//! the code that reads the old one stays.
//!
//! | version | adds |
//! |---|---|
//! | 1 | |
//! | 2 | [`Config::label_smoothing`], 0 before |
//! | 3 | [`Schedule::Linear`] |
//! | 4 | [`Config::defects`]; to go on with an older run that has some, set them again |
//! | 5 | [`Config::keep`], [`Keep::LowestLoss`] before; [`Config::average`] and [`Config::distortion`], none before; [`Config::dropout`], 0 before |
//!
//! [`Schedule::Linear`]: crate::Schedule::Linear
//! [`Keep::LowestLoss`]: crate::training::Keep::LowestLoss

use crate::net::activation::Activation;
use crate::net::{Net, checked_params_len};
use crate::training::codec::{Reader, Writer};
use crate::training::config::Config;
use crate::training::crc32::crc32;
use crate::training::report::EpochReport;
use crate::training::stored_config::{position, read_config, write_config};
use alloc::{vec, vec::Vec};
use core::fmt;

const MAGIC: [u8; 8] = *b"\x89HWCKPT\n";
const VERSION: u32 = 5;

/// The number of bytes before the run and after it.
const HEAD: usize = 8 + 4 + 8;
const TAIL: usize = 4;

/// The state of a run between two steps: everything that the next step depends on.
///
/// [`resume`] continues from it, and the result has the bits of a run that was never
/// interrupted. [`Checkpoint::to_bytes`] and [`Checkpoint::from_bytes`] convert it to
/// bytes and back.
///
/// ```
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::data::{Dataset, Subset};
/// use handwritten::{Activation, Checkpoint, Config, Init, Net, Workspace, resume};
///
/// let data = Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1])?;
/// let all = Subset::all(&data);
/// let mut rng = generator(1, Stream::Weights);
/// let net = Net::random(&[2, 4, 2], Activation::Tanh, Init::Glorot, &mut rng);
/// let mut workspace = Workspace::new(net.widths(), 1);
///
/// let mut run = Checkpoint::new(net, Config::default().with_epochs(3));
/// let bytes = run.to_bytes(b"my own notes");
/// resume(&mut run, &all, &all, &mut workspace, &mut ())?;
/// assert!(run.is_complete());
///
/// let (mut again, notes) = Checkpoint::from_bytes(&bytes)?;
/// resume(&mut again, &all, &all, &mut workspace, &mut ())?;
/// assert_eq!((again, &notes[..]), (run, &b"my own notes"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`resume`]: crate::training::resume()
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The configuration of the run.
    pub config: Config,
    /// The net in training.
    pub net: Net,
    /// The velocity of each parameter, laid out like the parameters.
    pub velocity: Vec<f32>,
    /// The net to keep so far ([`Config::keep`]); before the end of the first epoch, the
    /// net that training began with.
    pub best: Net,
    /// The epoch of that net, counted from 1; 0 before the end of the first epoch.
    pub best_epoch: usize,
    /// The reports of the complete epochs. Their number and the seed of the configuration
    /// determine the state of the generator of the shuffles.
    pub history: Vec<EpochReport>,
    /// The number of steps that have been made of the current epoch.
    pub step: usize,
    /// The sum of the losses of all examples in those steps.
    pub loss: f64,
    /// The average of the parameters at the ends of epochs, as far as they are complete, if
    /// [`Config::average`] asks for one; before the end of the first epoch, the net that
    /// training began with.
    pub average: Option<Net>,
}

impl fmt::Debug for Checkpoint {
    /// The progress of the run, without parameters and velocities.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("config", &self.config)
            .field("net", &self.net)
            .field("best_epoch", &self.best_epoch)
            .field("epochs", &self.history.len())
            .field("step", &self.step)
            .field("loss", &self.loss)
            .finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// The start of a run that trains `net`.
    pub fn new(net: Net, config: Config) -> Self {
        Self {
            config,
            velocity: vec![0.0; net.view().params().len()],
            average: config.average.map(|_| net.clone()),
            best: net.clone(),
            net,
            best_epoch: 0,
            history: vec![],
            step: 0,
            loss: 0.0,
        }
    }

    /// Whether the run has ended: all epochs are complete, or none of the last
    /// [`Config::patience`] epochs was better on the validation examples.
    pub fn is_complete(&self) -> bool {
        let epochs = self.history.len();
        let waited = self
            .config
            .patience
            .is_some_and(|patience| self.epochs_since_better() >= patience);
        epochs > 0 && (epochs >= self.config.epochs || waited)
    }

    /// The number of epochs since one that was better than all before it.
    fn epochs_since_better(&self) -> usize {
        let rule = self.config.keep.of_patience();
        let mut better = 0;
        for (i, row) in self.history.iter().enumerate() {
            if rule.prefers(row, &self.history[better]) {
                better = i;
            }
        }
        self.history.len().saturating_sub(better + 1)
    }

    /// Adds the net to the average, at the end of an epoch that is not in the history yet.
    pub(super) fn add_to_average(&mut self) {
        if let (Some(rule), Some(average)) = (self.config.average, &mut self.average) {
            let (epoch, epochs) = (self.history.len() + 1, self.config.epochs);
            rule.add(average.params_mut(), self.net.params(), epoch, epochs);
        }
    }

    /// The net that is validated after an epoch: the average if there is one.
    pub(super) fn validated(&self) -> &Net {
        self.average.as_ref().unwrap_or(&self.net)
    }

    /// The report of the epoch whose net is kept; `None` before the end of the first epoch.
    pub(super) fn kept(&self) -> Option<&EpochReport> {
        self.history.get(self.best_epoch.checked_sub(1)?)
    }
}

impl Checkpoint {
    /// Encodes the run, and bytes of the caller's own (`attachment`).
    pub fn to_bytes(&self, attachment: &[u8]) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(
            HEAD + 16 * self.velocity.len() + 40 * self.history.len() + attachment.len() + 512,
        ));
        w.0.extend(MAGIC);
        w.0.extend(VERSION.to_le_bytes());
        w.u64(0);
        write_config(&mut w, &self.config);
        let net = self.net.view();
        w.u8(position(Activation::ALL, net.activation()));
        w.usize(net.widths().len());
        net.widths().iter().for_each(|&width| w.usize(width));
        w.f32s(net.params());
        w.f32s(&self.velocity);
        w.f32s(self.best.view().params());
        w.usize(self.best_epoch);
        w.usize(self.history.len());
        for row in &self.history {
            w.f64(row.train_loss);
            w.f64(row.val_loss);
            w.f64(row.val_accuracy);
            w.f64(row.learning_rate);
            w.u8(row.is_best.into());
        }
        w.usize(self.step);
        w.f64(self.loss);
        if let Some(average) = &self.average {
            w.f32s(average.params());
        }
        w.bytes(attachment);

        let mut bytes = w.0;
        let length = (bytes.len() - HEAD) as u64;
        bytes[HEAD - 8..HEAD].copy_from_slice(&length.to_le_bytes());
        bytes.extend(crc32(&bytes).to_le_bytes());
        bytes
    }

    /// Decodes what [`Checkpoint::to_bytes`] wrote: the run and the attachment.
    ///
    /// # Errors
    /// Bytes that are not a whole checkpoint of a known version. The memory that is
    /// allocated is in proportion to the number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, Vec<u8>), CheckpointError> {
        let mut r = Reader(bytes);
        if r.take(MAGIC.len()) != Some(&MAGIC) {
            return Err(CheckpointError::Magic);
        }
        let cut = |expected| CheckpointError::Length {
            expected,
            found: bytes.len(),
        };
        let least = (HEAD + TAIL) as u64;
        let version = r.u32().ok_or(cut(least))?;
        if !(1..=VERSION).contains(&version) {
            return Err(CheckpointError::Version { found: version });
        }
        let length = r.u64().ok_or(cut(least))?;
        let expected = length.saturating_add(least);
        if expected != bytes.len() as u64 {
            return Err(cut(expected));
        }
        let (content, checksum) = bytes.split_at(bytes.len() - TAIL);
        if checksum != crc32(content).to_le_bytes() {
            return Err(CheckpointError::Checksum);
        }
        r = Reader(&content[HEAD..]);
        let read = read_run(&mut r, version).filter(|_| r.0.is_empty());
        read.ok_or(CheckpointError::Content)
    }
}

/// The error of decoding a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The bytes do not begin with the magic number.
    Magic,
    /// A newer version of this crate wrote the bytes.
    Version {
        /// The version of the format.
        found: u32,
    },
    /// The number of bytes is not the one that the header states.
    Length {
        /// The number of bytes by the header.
        expected: u64,
        /// The number of bytes there are.
        found: usize,
    },
    /// The checksum is wrong: some bytes have changed.
    Checksum,
    /// The bytes are whole, but a value is out of range.
    Content,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("it does not begin as a checkpoint does"),
            Self::Version { found } => write!(
                f,
                "its format has version {found}, this program knows {VERSION}: a newer one wrote it"
            ),
            Self::Length { expected, found } => {
                write!(f, "it has {found} bytes instead of {expected}")
            }
            Self::Checksum => f.write_str("its checksum is wrong: some bytes have changed"),
            Self::Content => f.write_str("its content makes no sense"),
        }
    }
}

impl core::error::Error for CheckpointError {}

fn read_run(r: &mut Reader<'_>, version: u32) -> Option<(Checkpoint, Vec<u8>)> {
    let config = read_config(r, version)?;
    let activation = *Activation::ALL.get(usize::from(r.u8()?))?;
    let count = r.usize()?;
    let widths = r.many(count, 8, Reader::usize)?;
    let len = checked_params_len(&widths)?;
    let net = Net::new(&widths, activation, r.f32s(len)?);
    let velocity = r.f32s(len)?;
    let best = Net::new(&widths, activation, r.f32s(len)?);
    let best_epoch = r.usize()?;
    let epochs = r.usize()?;
    let mut epoch = 0;
    let history = r.many(epochs, 33, |r| {
        epoch += 1;
        Some(EpochReport {
            epoch,
            train_loss: r.f64()?,
            val_loss: r.f64()?,
            val_accuracy: r.f64()?,
            learning_rate: r.f64()?,
            is_best: r.bool()?,
        })
    })?;
    let (step, loss) = (r.usize()?, r.f64()?);
    let average = match config.average {
        None => None,
        Some(_) => Some(Net::new(&widths, activation, r.f32s(len)?)),
    };
    let run = Checkpoint {
        config,
        net,
        velocity,
        best,
        best_epoch,
        history,
        step,
        loss,
        average,
    };
    let has_best = best_epoch <= epochs && (best_epoch > 0) == (epochs > 0);
    let attachment = r.bytes()?.to_vec();
    has_best.then_some((run, attachment))
}
