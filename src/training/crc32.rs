//! The checksum of checkpoints.

/// Computes the CRC-32 of IEEE 802.3, which gzip and PNG have too, eight bytes at a time
/// (Kounavis and Berry, *A Systematic Approach to Building High Performance
/// Software-Based CRC Generators*, 2005).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(!0, |crc: u32, eight| {
        let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
        let (word, mut sum) = (word.to_le_bytes(), 0);
        for (table, byte) in TABLES.iter().rev().zip(word) {
            sum ^= table[usize::from(byte)];
        }
        sum
    });
    let next = |crc: u32, byte: &u8| TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !rest.iter().fold(crc, next)
}

/// Entry `[n][b]`: the contribution of byte `b` to the checksum if `n` bytes follow it.
const TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320);
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut following = 1;
    while following < 8 {
        let mut i = 0;
        while i < 256 {
            let crc = tables[following - 1][i];
            tables[following][i] = tables[0][crc as usize & 255] ^ (crc >> 8);
            i += 1;
        }
        following += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
        // However the bytes fall into eights.
        let bytes: Vec<u8> = (0..100_u8).map(|i| i.wrapping_mul(37)).collect();
        let plain = |bytes: &[u8]| {
            let next = |crc: u32, &byte: &u8| {
                (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                    (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320)
                })
            };
            !bytes.iter().fold(!0, next)
        };
        for len in 0..bytes.len() {
            assert_eq!(crc32(&bytes[..len]), plain(&bytes[..len]));
        }
    }
}
