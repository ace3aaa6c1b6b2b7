//! Any bytes as IDX files: they are refused, or what is read gives the same bytes when
//! written again.

use handwritten::data::{Dataset, idx};
use handwritten::files::formats::read_int_labels;

pub(crate) fn check(bytes: &[u8]) {
    if let Ok(images) = idx::images(bytes) {
        let header = [2051, images.count, images.rows, images.columns];
        let mut written: Vec<u8> = header
            .iter()
            .flat_map(|&n| (n as u32).to_be_bytes())
            .collect();
        written.extend_from_slice(images.pixels);
        assert_eq!(written, bytes);
    }
    if let Ok(labels) = idx::labels(bytes) {
        let mut written = 2049_u32.to_be_bytes().to_vec();
        written.extend_from_slice(&(labels.len() as u32).to_be_bytes());
        written.extend_from_slice(labels);
        assert_eq!(written, bytes);
    }
    if let Ok(labels) = read_int_labels(bytes, bytes.len() as u64) {
        assert_eq!(labels.len().to_be_bytes()[4..], bytes[4..8]);
        // The first integer of each row, whose last byte is the label.
        let header = if bytes[3] == 1 { 8 } else { 12 };
        let row = (bytes.len() - header) / labels.len().max(1);
        let integer = [1, 1, 2, 4][usize::from(bytes[2].saturating_sub(9).min(3))];
        for (row, label) in bytes[header..].chunks(row.max(1)).zip(&labels) {
            assert_eq!(row[integer - 1], *label);
            assert!(row[..integer - 1].iter().all(|&byte| byte == 0));
        }
    }
    // Images and labels, one file after the other.
    for at in 0..bytes.len().min(64) {
        let (images, labels) = bytes.split_at(bytes.len() - at);
        if let Ok(data) = Dataset::from_idx(images, labels) {
            assert_eq!(data.labels().len(), data.len());
            assert_eq!(data.image(data.len() - 1).len(), data.features());
            assert!(
                data.labels()
                    .iter()
                    .all(|&label| usize::from(label) < data.classes())
            );
        }
    }
}
