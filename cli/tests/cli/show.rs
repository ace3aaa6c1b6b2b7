//! `show`: images in the terminal.

use crate::UNFINISHED;
use crate::programs::Folder;

#[test]
fn single_images_and_the_mistakes_of_a_run_are_shown() {
    let folder = Folder::new();
    let shown = folder
        .handwritten("show --index 3,0 --data data")
        .ok()
        .stdout;
    assert!(
        shown.starts_with("#3 3 ") && shown.contains("#0 0"),
        "{shown}"
    );
    // Six lines of twelve pixels side by side, and the captions.
    assert_eq!(shown.lines().count(), 7);
    assert!(
        shown.contains("▄▄▄▄") && !shown.contains('\u{1b}'),
        "{shown}"
    );

    folder.train(&format!("{UNFINISHED} --out run")).ok();
    let output = folder.handwritten("show --mistakes run --count 2").ok();
    assert_eq!(output.stdout.matches('→').count(), 2, "{}", output.stdout);
    assert!(output.stderr.starts_with("2 of "), "{}", output.stderr);
}

#[test]
fn images_that_are_not_there_are_refused() {
    let folder = Folder::new();
    folder
        .handwritten("show --index 80 --data data")
        .fails(2, &["--index", "80", "data"]);
    folder
        .handwritten("show --index -1")
        .fails(2, &["-1", "--index"]);
    folder.handwritten("show").fails(2, &["--index"]);
    folder
        .handwritten("show --mistakes data")
        .fails(1, &["data", "model.safetensors"]);
}
