//! `handwritten gradcheck`.

use crate::programs::*;

#[test]
fn a_right_gradient_passes_and_a_wrong_one_is_named() {
    let folder = Folder::new();
    let right = folder
        .handwritten("gradcheck --data data --hidden 8,6")
        .ok();
    for tensor in [
        "weights of layer 1",
        "biases of layer 2",
        "weights of layer 3",
    ] {
        let row = right.stdout.lines().find(|line| line.starts_with(tensor));
        assert!(!row.unwrap().ends_with("wrong"), "{}", right.stdout);
    }
    assert_eq!(right.stderr, "");

    let args = "gradcheck --data data --images 5 --parameters 3 --defects raw-logit-gradient";
    let wrong = folder.handwritten(args);
    assert_eq!(wrong.code, Some(4));
    assert_eq!(
        wrong.stdout.matches("  wrong").count(),
        4,
        "{}",
        wrong.stdout
    );
    assert!(
        wrong
            .stderr
            .starts_with("error: the gradient by the weights of layer 1")
    );
    assert_eq!(wrong.stderr.lines().count(), 1);

    let wrong = folder.handwritten(&format!("{args} --json"));
    let events = wrong.json();
    assert_eq!((wrong.code, events.len()), (Some(4), 4));
    for event in events {
        assert_eq!(
            (&event["wrong"], &event["checked"]),
            (&true.into(), &3.into())
        );
        assert!(event["error"].as_f64().unwrap() > 0.01);
    }
    for (args, words) in [
        ("--images 0", "--images"),
        ("--data nowhere", "nowhere"),
        ("--data data --hidden 1000000,1000000", "parameters"),
        ("--recipe nothing", "the recipes are quick, plain"),
    ] {
        let refused = folder.handwritten(&format!("gradcheck {args}"));
        let code = if args.contains("nowhere") { 1 } else { 2 };
        refused.fails(code, &[words]);
    }
}
