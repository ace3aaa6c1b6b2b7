//! The results of a complete run: its files, and what is printed of them.

use super::Job;
use crate::failure::Failure;
use crate::output;
use crate::output::plot::{LossCurves, confusion_svg, loss_png, loss_svg};
use crate::output::report::{self as figures, dashed};
use crate::report::{self, Texts, hex};
use crate::run_folder::{CHECKPOINT, FILES, Machine};
use crate::settings::Settings;
use handwritten::data::{Framing, Splits};
use handwritten::files;
use handwritten::files::model::{self, Metadata};
use handwritten::training::diagnosis::Monitor;
use handwritten::training::{EpochReport, Keep};
use handwritten::{Checkpoint, Evaluation, NetRef, Reduction, Workspace};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;

impl Job<'_> {
    /// Writes the files of the run, each completely or not at all, and removes the
    /// checkpoint.
    pub(super) fn write(
        &self,
        run: &Checkpoint,
        monitor: &Monitor,
        test: &Evaluation,
        machine: &Machine,
        workspace: &mut Workspace,
    ) -> Result<(), Failure> {
        let folder = &self.folder.path;
        let history = figures::history_csv(run, monitor.observations());
        let [svg, png] = self.loss_pictures(run)?;
        let machine = toml::to_string(machine).map_err(Failure::new)?;
        let metadata = self.metadata(run).map_err(Failure::new)?;
        let model = model::encode(&run.best, &metadata).map_err(Failure::caused)?;
        let texts = Texts {
            history: history.clone(),
            machine: machine.clone(),
            model_sha256: hex(&Sha256::digest(&model)),
        };
        // In the order of `FILES`.
        let contents = [
            model,
            self.identity.settings.clone().into_bytes(),
            history.into_bytes(),
            svg,
            png,
            self.confusion_picture(test).into_bytes(),
            machine.into_bytes(),
        ];
        for (name, bytes) in FILES.iter().zip(contents) {
            files::write_atomic(&folder.join(name), &bytes).map_err(Failure::caused)?;
        }
        self.write_report((run.best.view(), &metadata), texts, workspace)?;
        match fs::remove_file(folder.join(CHECKPOINT)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::new(format!(
                "cannot remove {CHECKPOINT} from {}: {error}",
                folder.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Writes the report, before the checkpoint is removed: a run that is killed until then is
    /// resumed, and has one at its end. Without a report none of an earlier run stays.
    fn write_report(
        &self,
        model: (NetRef<'_>, &Metadata),
        texts: Texts,
        workspace: &mut Workspace,
    ) -> Result<(), Failure> {
        let folder = &self.folder.path;
        if !self.has_report {
            for name in report::FILES {
                let _ = fs::remove_file(folder.join(name));
            }
            return Ok(());
        }
        let (test, isa) = (&self.setup.splits.test, self.setup.engine.isa);
        match report::Run::new(folder, isa, model, texts, test, workspace) {
            Ok(run) => run.write(folder),
            // The run is complete all the same.
            Err(failure) => {
                output::warn(&failure);
                Ok(())
            }
        }
    }

    fn metadata(&self, run: &Checkpoint) -> Result<Metadata, String> {
        let (settings, images) = (self.settings(), self.setup.splits.train.dataset());
        let best = &run.history[run.best_epoch - 1];
        let image = (images.rows(), images.columns());
        let mut metadata = Metadata::new(image, self.classes.clone());
        metadata.normalisation = self.normalisation;
        metadata.framing = Framing::of(images);
        metadata.data = self.corpus.source.to_string();
        metadata.data_sha256.clone_from(&self.identity.data_sha256);
        metadata.split = settings.split;
        metadata.seed = settings.training.seed;
        metadata.reduction = settings.training.reduction;
        metadata.best_epoch = run.best_epoch;
        metadata.val_loss = best.val_loss;
        metadata.settings = Settings {
            // The model is the same wherever the images lie, and the net that it started from.
            data: None,
            from: None,
            ..settings.clone()
        }
        .to_toml()?;
        metadata.is_fused = Some(self.identity.is_fused);
        Ok(metadata)
    }

    fn title(&self) -> String {
        format!("{}, {}", self.corpus.source, dashed(&self.setup.widths))
    }

    /// The curves of both losses as SVG and as PNG. They are means even where the
    /// run reports sums: sums over sets of different sizes do not share an axis.
    fn loss_pictures(&self, run: &Checkpoint) -> Result<[Vec<u8>; 2], Failure> {
        let reduction = self.settings().training.reduction;
        let Splits { train, val, .. } = &self.setup.splits;
        let means = |loss: fn(&EpochReport) -> f64, images: usize| -> Vec<f64> {
            let scale = Reduction::Mean.scale(images) / reduction.scale(images);
            run.history.iter().map(|row| loss(row) * scale).collect()
        };
        let epochs: Vec<usize> = run.history.iter().map(|row| row.epoch).collect();
        let curves = LossCurves {
            title: &self.title(),
            y_label: "Cross-entropy (mean per image, nats)",
            epochs: &epochs,
            train: &means(|row| row.train_loss, train.len()),
            val: &means(|row| row.val_loss, val.len()),
            best_epoch: run.best_epoch,
        };
        let png = loss_png(&curves).map_err(Failure::new)?;
        Ok([loss_svg(&curves).into_bytes(), png])
    }

    fn confusion_picture(&self, test: &Evaluation) -> String {
        let title = format!(
            "{}: {:.2} % of the test images",
            self.title(),
            100.0 * test.confusion.accuracy()
        );
        confusion_svg(&title, &self.classes, test.confusion.counts())
    }

    /// Prints the results.
    pub(super) fn conclude(
        &self,
        run: &Checkpoint,
        test: &Evaluation,
        machine: &Machine,
    ) -> Result<(), Failure> {
        let best = &run.history[run.best_epoch - 1];
        if self.json {
            let mut event = figures::test_json(test, &self.classes);
            event["best_epoch"] = json!(run.best_epoch);
            event["keep"] = json!(run.config.keep.name());
            event["val_loss"] = json!(best.val_loss);
            event["val_accuracy"] = json!(best.val_accuracy);
            event["run"] = json!(self.folder.path.display().to_string());
            return output::result(&event.to_string());
        }
        output::result(&format!(
            "\n{}; trained for {:.1} s{}",
            kept(run),
            machine.training_seconds,
            match machine.resumed_after_epochs {
                Some(_) => " since it was resumed",
                None => "",
            }
        ))?;
        output::result(&figures::test_text(test, &self.classes))
    }
}

/// Which epoch's net is kept, and why.
fn kept(run: &Checkpoint) -> String {
    let best = &run.history[run.best_epoch - 1];
    let (loss, accuracy) = (best.val_loss, 100.0 * best.val_accuracy);
    let place = format!("epoch {} of {}", run.best_epoch, run.history.len());
    match run.config.keep {
        Keep::LowestLoss => format!("lowest validation loss {loss:.5} after {place}"),
        Keep::HighestAccuracy => {
            format!("highest validation accuracy {accuracy:.2} % after {place}, loss {loss:.5}")
        }
        _ => format!("kept the last net, {place}: validation {accuracy:.2} %, loss {loss:.5}"),
    }
}
