//! `handwritten bench`.

use crate::programs::*;

#[test]
fn the_bench_wants_images_like_mnist() {
    let folder = Folder::new();
    let refused = folder.handwritten("bench --data data");
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.stderr,
        "error: data: the bench needs images of 28×28 pixels in 10 classes, as MNIST's are\n"
    );
    let missing = folder.handwritten("bench --data nowhere");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
}
