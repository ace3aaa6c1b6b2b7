//! The memory of a monitor as bytes, for runs that are interrupted.

use crate::data::Normalisation;
use crate::net::Tensor;
use crate::net::activation::Activation;
use crate::training::codec::{Reader, Writer};
use crate::training::diagnosis::finding::Finding;
use crate::training::diagnosis::indicators::{Indicators, LayerIndicators};
use crate::training::diagnosis::monitor::{Monitor, Observation, Start};
use alloc::string::ToString;
use alloc::vec::Vec;

impl Monitor {
    /// Encodes everything that the monitor remembers of its run.
    pub fn to_bytes(&self) -> Vec<u8> {
        // At once, because a vector that grows is copied into one of twice its size.
        let observations = 64 + 16 * self.workspace.widths().len();
        let others = 1024 + observations * self.observations.len();
        let mut w = Writer(Vec::with_capacity(size_of_val(&self.before[..]) + others));
        w.usize(self.before.len());
        w.f32s(&self.before);
        w.f64(self.length);
        w.usize(self.found.len());
        self.found
            .iter()
            .for_each(|found| write_finding(&mut w, found));
        w.usize(self.reported);
        w.usize(self.observations.len());
        for Observation {
            indicators,
            finding,
        } in &self.observations
        {
            w.f64(indicators.gradient_norm);
            w.f64(indicators.saturated);
            w.f64(indicators.dead);
            w.usize(indicators.layers.len());
            for layer in &indicators.layers {
                w.f64(layer.norm);
                w.f64(layer.moved);
            }
            w.u8(finding.is_some().into());
            finding
                .iter()
                .for_each(|finding| write_finding(&mut w, finding));
        }
        if let Some(start) = &self.start {
            w.f64(start.advised);
            w.f64(start.reach);
            write_normalisation(&mut w, start.needed);
        }
        w.0
    }

    /// Restores what [`Monitor::to_bytes`] encoded, to go on with a run that was
    /// interrupted. Returns `None`, and changes nothing, if the bytes are something else.
    pub fn restore(&mut self, bytes: &[u8]) -> Option<()> {
        let r = &mut Reader(bytes);
        let len = r.usize()?;
        let before = r.f32s(len)?;
        if !before.is_empty() && before.len() != self.workspace.gradient().len() {
            return None;
        }
        let length = r.f64()?;
        let len = r.usize()?;
        let found = r.many(len, 1, read_finding)?;
        let reported = r.usize().filter(|&reported| reported <= found.len())?;
        let len = r.usize()?;
        let observations = r.many(len, 33, |r| {
            let (gradient_norm, saturated, dead) = (r.f64()?, r.f64()?, r.f64()?);
            let len = r.usize()?;
            let layer = |r: &mut Reader<'_>| {
                let (norm, moved) = (r.f64()?, r.f64()?);
                Some(LayerIndicators { norm, moved })
            };
            let indicators = Indicators {
                gradient_norm,
                saturated,
                dead,
                layers: r.many(len, 16, layer)?,
            };
            let finding = match r.bool()? {
                true => Some(read_finding(r)?),
                false => None,
            };
            Some(Observation {
                indicators,
                finding,
            })
        })?;
        // Older versions did not write what they saw at the start.
        let start = match r.0.is_empty() {
            true => None,
            false => Some(Start {
                advised: r.f64()?,
                reach: r.f64()?,
                needed: read_normalisation(r)?,
            }),
        };
        if !r.0.is_empty() {
            return None;
        }
        self.start = start;
        (self.before, self.length) = (before, length);
        (self.found, self.reported, self.observations) = (found, reported, observations);
        Some(())
    }
}

// Long: an arm for each finding.
fn write_finding(w: &mut Writer, finding: &Finding) {
    match *finding {
        Finding::RawLogitGradient => w.u8(0),
        Finding::WrongGradient { tensor, error } => {
            w.u8(1);
            write_tensor(w, tensor);
            w.f64(error);
        }
        Finding::Saturated { activation, share } => {
            w.u8(2);
            let place = Activation::ALL.iter().position(|&a| a == activation);
            w.usize(place.unwrap_or(0));
            w.f64(share);
        }
        Finding::Dead { share } => {
            w.u8(3);
            w.f64(share);
        }
        Finding::Narrow { units, classes } => {
            w.u8(4);
            w.usize(units);
            w.usize(classes);
        }
        Finding::Shrinking { lost } => {
            w.u8(5);
            w.f64(lost);
        }
        Finding::WholeMatrixSoftmax { loss, classes } => {
            w.u8(6);
            w.f64(loss);
            w.usize(classes);
        }
        Finding::AliasedBest { epoch } => {
            w.u8(7);
            w.usize(epoch);
        }
        Finding::Standing { moved } => {
            w.u8(8);
            w.f64(moved);
        }
        Finding::Guessing {
            loss,
            epochs,
            classes,
        } => {
            w.u8(9);
            w.f64(loss);
            w.usize(epochs);
            w.usize(classes);
        }
        Finding::RateTooHigh { rate, advised } => {
            w.u8(10);
            w.f64(rate);
            w.f64(advised);
        }
        Finding::RateTooLow { rate, advised } => {
            w.u8(11);
            w.f64(rate);
            w.f64(advised);
        }
        Finding::Pixels { needed } => {
            w.u8(12);
            write_normalisation(w, needed);
        }
        Finding::Vanishing { share } => {
            w.u8(13);
            w.f64(share);
        }
        Finding::Decay { weight_decay } => {
            w.u8(14);
            w.f64(weight_decay.into());
        }
    }
}

fn read_finding(r: &mut Reader<'_>) -> Option<Finding> {
    Some(match r.u8()? {
        0 => Finding::RawLogitGradient,
        1 => Finding::WrongGradient {
            tensor: read_tensor(r)?,
            error: r.f64()?,
        },
        2 => Finding::Saturated {
            activation: *Activation::ALL.get(r.usize()?)?,
            share: r.f64()?,
        },
        3 => Finding::Dead { share: r.f64()? },
        4 => Finding::Narrow {
            units: r.usize()?,
            classes: r.usize()?,
        },
        5 => Finding::Shrinking { lost: r.f64()? },
        6 => Finding::WholeMatrixSoftmax {
            loss: r.f64()?,
            classes: r.usize()?,
        },
        7 => Finding::AliasedBest { epoch: r.usize()? },
        8 => Finding::Standing { moved: r.f64()? },
        9 => Finding::Guessing {
            loss: r.f64()?,
            epochs: r.usize()?,
            classes: r.usize()?,
        },
        10 => Finding::RateTooHigh {
            rate: r.f64()?,
            advised: r.f64()?,
        },
        11 => Finding::RateTooLow {
            rate: r.f64()?,
            advised: r.f64()?,
        },
        12 => Finding::Pixels {
            needed: read_normalisation(r)?,
        },
        13 => Finding::Vanishing { share: r.f64()? },
        14 => Finding::Decay {
            weight_decay: r.f64()? as f32,
        },
        _ => return None,
    })
}

fn write_normalisation(w: &mut Writer, normalisation: Normalisation) {
    w.bytes(normalisation.to_string().as_bytes());
}

fn read_normalisation(r: &mut Reader<'_>) -> Option<Normalisation> {
    core::str::from_utf8(r.bytes()?).ok()?.parse().ok()
}

fn write_tensor(w: &mut Writer, tensor: Tensor) {
    let (kind, layer) = match tensor {
        Tensor::Weights(layer) => (0, layer),
        Tensor::Biases(layer) => (1, layer),
        Tensor::Activations(layer) => (2, layer),
        Tensor::Logits => (3, 0),
        Tensor::Loss => (4, 0),
    };
    w.u8(kind);
    w.usize(layer);
}

fn read_tensor(r: &mut Reader<'_>) -> Option<Tensor> {
    Some(match (r.u8()?, r.usize()?) {
        (0, layer) => Tensor::Weights(layer),
        (1, layer) => Tensor::Biases(layer),
        (2, layer) => Tensor::Activations(layer),
        (3, _) => Tensor::Logits,
        (4, _) => Tensor::Loss,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::workspace::Workspace;
    use alloc::vec;

    /// A monitor with one finding of each kind.
    fn full() -> Monitor {
        let mut watch = Monitor::new(Workspace::new(&[2, 2], 1));
        let tensors = [Tensor::Weights(3), Tensor::Biases(1), Tensor::Logits];
        watch.found = vec![
            Finding::RawLogitGradient,
            Finding::Saturated {
                activation: Activation::Tanh,
                share: 0.97,
            },
            Finding::Dead { share: 1.0 },
            Finding::Narrow {
                units: 1,
                classes: 10,
            },
            Finding::Shrinking { lost: 0.1 },
            Finding::WholeMatrixSoftmax {
                loss: 13.3,
                classes: 10,
            },
            Finding::AliasedBest { epoch: 7 },
            Finding::Standing { moved: 1e-9 },
            Finding::Guessing {
                loss: 2.3,
                epochs: 10,
                classes: 10,
            },
            Finding::RateTooHigh {
                rate: 50.0,
                advised: 0.1,
            },
            Finding::RateTooLow {
                rate: 1e-6,
                advised: 0.6,
            },
            Finding::Pixels {
                needed: "1 - pixel / 16".parse().unwrap(),
            },
            Finding::Vanishing { share: 1e-9 },
            Finding::Decay { weight_decay: 0.5 },
        ];
        let error = f64::INFINITY;
        let wrong = tensors.map(|tensor| Finding::WrongGradient { tensor, error });
        watch.found.extend(wrong);
        watch.before = vec![0.5, -0.0, f32::MIN_POSITIVE, 1e30, -2.0, 7.0];
        (watch.length, watch.reported) = (2.5, 3);
        watch.start = Some(Start {
            advised: 0.6,
            reach: 0.25,
            needed: Normalisation::RAW,
        });
        let look = |finding| Observation {
            indicators: Indicators {
                gradient_norm: 0.25,
                saturated: 0.5,
                dead: 0.0,
                layers: vec![
                    LayerIndicators {
                        norm: 4.0,
                        moved: 0.01
                    };
                    2
                ],
            },
            finding,
        };
        watch.observations = vec![look(None), look(Some(Finding::Dead { share: 0.5 }))];
        watch
    }

    #[test]
    fn what_is_written_down_is_remembered() {
        let watch = full();
        let mut other = Monitor::new(Workspace::new(&[2, 2], 1));
        other.restore(&watch.to_bytes()).unwrap();
        assert_eq!((&other.before, other.length), (&watch.before, watch.length));
        assert_eq!(
            (&other.found, other.reported),
            (&watch.found, watch.reported)
        );
        assert_eq!(other.observations, watch.observations);
        assert_eq!(other.start, watch.start);
    }

    #[test]
    fn no_part_of_it_is_taken_for_the_whole() {
        let mut older = full();
        older.start = None;
        let older = older.to_bytes();
        let bytes = full().to_bytes();
        let mut other = Monitor::new(Workspace::new(&[2, 2], 1));
        for len in (0..bytes.len()).filter(|&len| len != older.len()) {
            assert_eq!(other.restore(&bytes[..len]), None, "cut at {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(other.restore(&longer), None);
        assert!(other.before.is_empty() && other.observations.is_empty());

        // What an older version wrote.
        other.restore(&older).unwrap();
        assert_eq!((other.observations.len(), other.start), (2, None));
    }
}
