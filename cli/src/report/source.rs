//! Sources of the report of an existing run: its folder, and the images that tested it.

use super::{Run, Texts, bytes, hex};
use crate::failure::Failure;
use crate::memory;
use crate::run_folder::{CONFIG, HISTORY, MACHINE, model};
use crate::settings::{Flags, Settings};
use crate::setup::{self, Engine, TestImages};
use handwritten::data::Subset;
use handwritten::files::model::Model;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Maximum number of bytes of a text in the folder of a run.
const MAX_TEXT: u64 = 64 << 20;

/// A run that was read from its folder, with its test images.
pub(crate) struct Source {
    /// The folder.
    pub(crate) folder: PathBuf,
    model: Model,
    texts: Texts,
    test: TestImages,
}

impl Source {
    /// Reads the run in a folder, or that of a model file, and loads the images that tested it:
    /// from `data`, or from where the run had them, or from the first default folder.
    ///
    /// # Errors
    /// A run that is not complete, and other data than those of the run.
    pub(crate) fn read(named: &Path, data: Option<&Path>) -> Result<Self, Failure> {
        let path = model::path_of(named)?;
        let bytes = model::bytes_of(&path)?;
        let model = model::of_bytes(&bytes, &path)?;
        let beside = |name: &str| text(&path.with_file_name(name));
        let settings = match &model.metadata.settings[..] {
            "" => Flags::of_saved_run(&beside(CONFIG)?).ok(),
            settings => Flags::of_saved_run(settings).ok(),
        };
        let settings = settings.and_then(|flags| flags.resolve().ok());
        let before = Flags::of_saved_run(&beside(CONFIG)?).ok();
        let before = before.and_then(|flags| flags.resolve().ok());
        let before = before.and_then(|settings| settings.data);
        let test = own_images(&model, settings.as_ref(), data, before.as_deref(), &path)?;
        let folder = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let folder = folder.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self {
            folder,
            texts: Texts {
                history: beside(HISTORY)?,
                machine: beside(MACHINE)?,
                model_sha256: hex(&Sha256::digest(&bytes)),
            },
            model,
            test,
        })
    }

    /// The test images of the run.
    pub(crate) fn test(&self) -> Subset<'_> {
        Subset::new(&self.test.images, self.test.own.clone().unwrap_or_default())
    }

    /// Examines the run on its test images.
    pub(crate) fn run<'a>(
        &'a self,
        engine: Engine,
        threads: usize,
        test: &'a Subset<'a>,
    ) -> Result<Run<'a>, Failure> {
        let net = self.model.net.view();
        let bytes = bytes(net.widths(), test.len()).saturating_add(memory::PICTURES);
        memory::require(
            bytes,
            format_args!("write the report of {}", self.folder.display()),
        )?;
        let mut workspace = engine.workspace(net.widths(), threads, 0, self.folder.display())?;
        let texts = self.texts.clone();
        let of_model = (net, &self.model.metadata);
        Run::new(
            &self.folder,
            engine.isa,
            of_model,
            texts,
            test,
            &mut workspace,
        )
    }
}

/// The images that tested the run of a model.
fn own_images(
    model: &Model,
    settings: Option<&Settings>,
    named: Option<&Path>,
    before: Option<&Path>,
    path: &Path,
) -> Result<TestImages, Failure> {
    let as_is = settings.is_some_and(|settings| settings.as_is);
    let places = match (named, before) {
        (Some(named), _) => vec![Some(named)],
        (None, Some(before)) => vec![Some(before), None],
        (None, None) => vec![None],
    };
    let mut last = None;
    for place in places {
        match setup::load_for(model, place, as_is) {
            Ok(test) if test.own.is_some() => return Ok(test),
            Ok(test) => {
                last = Some(Failure::new(format!(
                    "{} was tested on other images than those in {}: --data names the data set of \
                     the run, {}, SHA-256 {}",
                    path.display(),
                    test.dir.display(),
                    model.metadata.data,
                    model.metadata.data_sha256
                )));
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::new("no data set")))
}

/// The text of a file; none if it is not there.
fn text(path: &Path) -> Result<String, Failure> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(String::new());
    };
    if !found.is_file() || found.len() > MAX_TEXT {
        return Err(Failure::new(format!(
            "{} is not a file of a run",
            path.display()
        )));
    }
    memory::require(
        3 * found.len() as usize,
        format_args!("read {}", path.display()),
    )?;
    let text = fs::read(path);
    let text =
        text.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
