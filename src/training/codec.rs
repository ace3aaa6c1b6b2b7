//! A plain binary encoding: little-endian numbers, one after the other.

use alloc::vec::Vec;

/// An encoder.
#[derive(Default, Debug)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn u8(&mut self, x: u8) {
        self.0.push(x);
    }

    pub fn u64(&mut self, x: u64) {
        self.0.extend(x.to_le_bytes());
    }

    pub fn usize(&mut self, x: usize) {
        self.u64(x as u64);
    }

    pub fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    /// Writes numbers without their count, which the reader must know.
    pub fn f32s(&mut self, xs: &[f32]) {
        let start = self.0.len();
        self.0.resize(start + 4 * xs.len(), 0);
        let (quads, _) = self.0[start..].as_chunks_mut();
        for (quad, x) in quads.iter_mut().zip(xs) {
            *quad = x.to_le_bytes();
        }
    }

    /// Writes the count of bytes, then the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.usize(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

/// A decoder of the bytes that are left. Reading past their end gives `None`.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[x]| x)
    }

    pub fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn usize(&mut self) -> Option<usize> {
        usize::try_from(self.u64()?).ok()
    }

    pub fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    /// Reads `len` numbers; allocates nothing if there are fewer.
    pub fn f32s(&mut self, len: usize) -> Option<Vec<f32>> {
        let (quads, _) = self.take(len.checked_mul(4)?)?.as_chunks();
        Some(quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect())
    }

    /// Reads `len` values of at least `size` bytes each; allocates nothing if fewer bytes
    /// are left.
    pub fn many<T>(
        &mut self,
        len: usize,
        size: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        if len.checked_mul(size)? > self.0.len() {
            return None;
        }
        (0..len).map(|_| read(self)).collect()
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.usize()?;
        self.take(len)
    }
}
