//! `handwritten bench`.

use crate::programs::*;

#[test]
fn the_bench_wants_images_like_mnist() {
    let folder = Folder::new();
    let refused = folder.handwritten("bench --data data");
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.stderr,
        "error: the bench needs images like MNIST's\n"
    );
    let missing = folder.handwritten("bench --data nowhere");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
}
