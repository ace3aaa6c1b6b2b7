//! Any bytes as a checkpoint file, and as the content of one with the right length and
//! checksum, in each version of the format: they are refused, or what is read is the same
//! when written and read again. A run resumed from it has the bits of a run that is saved,
//! read and resumed once more.

use flate2::Crc;
use handwritten::data::{Dataset, Subset};
use handwritten::training::{Control, EpochReport, StepReport, TrainError, TrainingState};
use handwritten::{Batch, Checkpoint, Observer, Workspace, resume};

pub(crate) fn check(bytes: &[u8]) {
    let contents = (1..=4).map(|version| sealed(bytes, version));
    for bytes in [bytes.to_vec()].into_iter().chain(contents) {
        if let Ok((run, attachment)) = Checkpoint::from_bytes(&bytes) {
            let written = run.to_bytes(&attachment);
            let (again, attached) = read(&written);
            assert_eq!(attached, attachment);
            // Bytes are compared because no NaN equals itself.
            assert_eq!(again.to_bytes(&attached), written);
            check_resuming(run);
        }
    }
}

fn read(bytes: &[u8]) -> (Checkpoint, Vec<u8>) {
    Checkpoint::from_bytes(bytes).expect("what is written can be read")
}

/// A checkpoint file with this content.
fn sealed(content: &[u8], version: u32) -> Vec<u8> {
    let mut bytes = b"\x89HWCKPT\n".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
    let mut crc = Crc::new();
    crc.update(&bytes);
    bytes.extend(crc.sum().to_le_bytes());
    bytes
}

/// Saves after the first step or epoch that is observed, and stops at the fourth.
#[derive(Default)]
struct SavingObserver {
    seen: usize,
    saved: Vec<Vec<u8>>,
}

impl SavingObserver {
    fn next_control(&mut self) -> Control {
        self.seen += 1;
        match self.seen {
            1 => Control::Save,
            4 => Control::SaveAndStop,
            _ => Control::Continue,
        }
    }
}

impl Observer for SavingObserver {
    fn on_step(&mut self, _step: &StepReport) -> Control {
        self.next_control()
    }

    fn on_epoch(&mut self, _epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        self.next_control()
    }

    fn on_save(&mut self, run: &Checkpoint) {
        self.saved.push(run.to_bytes(&[]));
    }
}

/// Resumes a small run for a few steps, with and without an interruption.
fn check_resuming(run: Checkpoint) {
    let widths = run.net.view().widths().to_vec();
    let (features, classes) = (widths[0], widths[widths.len() - 1]);
    // A label is a byte, and large runs would make fuzzing slow.
    if widths.iter().any(|&width| width > 100) || run.history.len() > 100 {
        return;
    }
    const IMAGES: usize = 5;
    let pixels = (0..IMAGES * features).map(|i| (i * 83 % 256) as u8);
    let labels = (0..IMAGES).map(|i| (i % classes) as u8);
    let data = Dataset::new(pixels.collect(), 1, features, labels.collect()).unwrap();
    let all = Subset::all(&data);
    let steps = match run.config.batch {
        Batch::Full => 1,
        Batch::Mini(size) => IMAGES.div_ceil(size),
    };
    if run.step > steps {
        return;
    }
    let go_on =
        |mut run: Checkpoint, seen| -> (Result<(), TrainError>, Checkpoint, SavingObserver) {
            let mut workspace = Workspace::new(&widths, 1);
            let mut observer = SavingObserver {
                seen,
                ..SavingObserver::default()
            };
            let result = resume(&mut run, &all, &all, &mut workspace, &mut observer);
            (result, run, observer)
        };
    let (result, end, observer) = go_on(run, 0);
    if let Some(saved) = observer.saved.first() {
        let (again, again_end, _) = go_on(read(saved).0, 1);
        assert_eq!(again, result);
        assert_eq!(again_end.to_bytes(&[]), end.to_bytes(&[]));
    }
}
