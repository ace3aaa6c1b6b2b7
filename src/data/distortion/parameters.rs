//! The strengths of a distortion, and their text.

use core::fmt;
use core::str::FromStr;

/// Name, least and largest value of each number, in the order of declaration.
const FIELDS: [(&str, f32, f32); 8] = [
    ("rotation", 0.0, 180.0),
    ("scaling", 0.0, 0.99),
    ("shear", 0.0, 4.0),
    ("shift", 0.0, 64.0),
    ("elastic", 0.0, 16.0),
    ("smoothness", 0.5, 16.0),
    ("hold", 0.0, 1.0),
    ("end", 0.0, 1.0),
];

/// The distortions that have a name.
const NAMED: [(&str, Distortion); 3] = [
    ("none", Distortion::NONE),
    ("shift", Distortion::SHIFT),
    ("elastic", Distortion::ELASTIC),
];

/// How strongly images are distorted. Every strength may be 0.
///
/// ```
/// use handwritten::data::{Dataset, Distorter, Distortion, ImageSource};
///
/// let data = Dataset::new(vec![0, 0, 0, 0, 255, 0, 0, 0, 0], 3, 3, vec![7])?;
/// let mut distorter = Distorter::new(&data, Distortion::SHIFT, 1, 10);
/// let mut sums = [0; 3];
/// for (epoch, sum) in (1..).zip(&mut sums) {
///     distorter.start_epoch(epoch);
///     let mut image = [0; 9];
///     distorter.write(0, 0, &mut image);
///     *sum = image.iter().map(|&pixel| u32::from(pixel)).sum();
/// }
/// // A shift by a pixel keeps the point within this image.
/// assert_eq!(sums, [255; 3]);
/// # Ok::<(), handwritten::data::DatasetError>(())
/// ```
///
/// The text of a distortion is a name (`none`, `shift`, `elastic`), or a name and the numbers
/// that differ from those of it, or the numbers that differ from those of `none`:
/// `elastic,rotation=15` or `shift=2`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Distortion {
    /// Maximum angle of rotation about the centre, in degrees, from 0 to 180.
    pub rotation: f32,
    /// Maximum relative change of the scale of each axis, from 0 to below 1.
    pub scaling: f32,
    /// Maximum shear: the horizontal shift of a row for each pixel of its distance from the
    /// centre, from 0 to 4.
    pub shear: f32,
    /// Maximum shift along each axis, in pixels, from 0 to 64. It is a whole number of pixels
    /// where nothing else moves the image, so that the image stays sharp.
    pub shift: f32,
    /// Root mean square of each component of the elastic displacement, in pixels, from 0 to 16.
    pub elastic: f32,
    /// Standard deviation of the Gaussian that smooths the elastic displacement, in pixels,
    /// from 0.5 to 16. Small ones tear strokes, large ones move the whole image.
    pub smoothness: f32,
    /// The share of the epochs, from 0 to 1, that have the whole strength. Over those that are
    /// left all strengths fall linearly.
    pub hold: f32,
    /// The factor of all strengths in the last epoch, from 0 to 1.
    pub end: f32,
}

impl Distortion {
    /// No distortion.
    pub const NONE: Self = Self {
        rotation: 0.0,
        scaling: 0.0,
        shear: 0.0,
        shift: 0.0,
        elastic: 0.0,
        smoothness: 5.0,
        hold: 1.0,
        end: 1.0,
    };

    /// Shifts of up to a pixel along each axis.
    pub const SHIFT: Self = Self {
        shift: 1.0,
        ..Self::NONE
    };

    /// All kinds, as strong as suits MNIST, weaker towards the end.
    pub const ELASTIC: Self = Self {
        rotation: 10.0,
        scaling: 0.1,
        shear: 0.1,
        shift: 1.0,
        elastic: 1.0,
        smoothness: 5.0,
        hold: 0.7,
        end: 0.3,
    };

    /// Whether nothing moves an image except a shift.
    pub(super) fn is_shift(&self) -> bool {
        [self.rotation, self.scaling, self.shear, self.elastic] == [0.0; 4]
    }

    /// Whether nothing moves an image.
    pub fn is_none(&self) -> bool {
        self.is_shift() && self.shift == 0.0
    }

    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// The first number that is not.
    pub fn validate(&self) -> Result<(), DistortionError> {
        let values = self.numbers().into_iter().zip(FIELDS);
        for (value, (name, least, most)) in values {
            if !(least..=most).contains(&value) {
                return Err(DistortionError {
                    name,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }

    /// All numbers, in the order of declaration.
    pub(crate) fn numbers(&self) -> [f32; 8] {
        [
            self.rotation,
            self.scaling,
            self.shear,
            self.shift,
            self.elastic,
            self.smoothness,
            self.hold,
            self.end,
        ]
    }

    /// The distortion of these numbers, in the order of declaration.
    pub(crate) fn from_numbers(numbers: [f32; 8]) -> Self {
        let [
            rotation,
            scaling,
            shear,
            shift,
            elastic,
            smoothness,
            hold,
            end,
        ] = numbers;
        Self {
            rotation,
            scaling,
            shear,
            shift,
            elastic,
            smoothness,
            hold,
            end,
        }
    }

    /// The factor of all strengths in epoch `epoch`, counted from 1, of `epochs`.
    ///
    /// ```
    /// use handwritten::data::Distortion;
    ///
    /// let factors = [1, 7, 10].map(|epoch| Distortion::ELASTIC.factor(epoch, 10));
    /// assert_eq!(factors, [1.0, 1.0, 0.3]);
    /// ```
    pub fn factor(&self, epoch: usize, epochs: usize) -> f32 {
        let held = self.hold * epochs as f32;
        let falling = epochs as f32 - held;
        let past = epoch as f32 - held;
        if past <= 0.0 || falling <= 0.0 {
            return 1.0;
        }
        if epoch >= epochs {
            return self.end;
        }
        1.0 + (self.end - 1.0) * (past / falling)
    }
}

/// The error of a [`Distortion`]: the first number that is out of range.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct DistortionError {
    /// The name of the field.
    pub name: &'static str,
    /// Its value.
    pub value: f32,
    /// The least value allowed.
    pub least: f32,
    /// The largest value allowed.
    pub most: f32,
}

impl fmt::Display for DistortionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            least,
            most,
        } = self;
        write!(
            f,
            "a distortion of {name} {value}, which must be from {least} to {most}"
        )
    }
}

impl core::error::Error for DistortionError {}

impl fmt::Display for Distortion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMED.iter().find(|(_, named)| named == self) {
            return f.write_str(name);
        }
        let mut comma = "";
        let differs = self.numbers().into_iter().zip(Self::NONE.numbers());
        for ((value, none), (name, ..)) in differs.zip(FIELDS) {
            if value != none {
                write!(f, "{comma}{name}={value}")?;
                comma = ",";
            }
        }
        Ok(())
    }
}

impl FromStr for Distortion {
    type Err = ParseDistortionError;

    fn from_str(text: &str) -> Result<Self, ParseDistortionError> {
        let mut numbers = Self::NONE.numbers();
        for (i, part) in text.split(',').map(str::trim).enumerate() {
            let name = NAMED.iter().find(|(name, _)| *name == part);
            if let (0, Some((_, named))) = (i, name) {
                numbers = named.numbers();
                continue;
            }
            let (name, value) = part.split_once('=').ok_or(ParseDistortionError::Syntax)?;
            let field = FIELDS.iter().position(|(field, ..)| *field == name.trim());
            let field = field.ok_or(ParseDistortionError::Syntax)?;
            let value = value.trim().parse();
            numbers[field] = value.map_err(|_| ParseDistortionError::Syntax)?;
        }
        let distortion = Self::from_numbers(numbers);
        distortion.validate().map_err(ParseDistortionError::Range)?;
        Ok(distortion)
    }
}

/// The error of parsing a [`Distortion`].
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum ParseDistortionError {
    /// The text is not as [`Distortion`] says.
    Syntax,
    /// A number is out of range.
    Range(DistortionError),
}

impl fmt::Display for ParseDistortionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str(
                "must be none, shift or elastic, or numbers with commas between them such as \
                 rotation=10,scaling=0.1,shear=0.1,shift=1,elastic=1,smoothness=5,hold=0.7,end=0.3",
            ),
            Self::Range(DistortionError {
                name,
                value,
                least,
                most,
            }) => {
                write!(f, "must have {name} from {least} to {most}, not {value}")
            }
        }
    }
}

impl core::error::Error for ParseDistortionError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn texts_are_read_as_they_are_written() {
        for text in [
            "none",
            "shift",
            "elastic",
            "shift=2",
            "rotation=3.5,elastic=0.25,end=0.5",
        ] {
            assert_eq!(text.parse::<Distortion>().unwrap().to_string(), text);
        }
        let stronger: Distortion = "elastic, rotation = 15,shift=2".parse().unwrap();
        let expected = Distortion {
            rotation: 15.0,
            shift: 2.0,
            ..Distortion::ELASTIC
        };
        assert_eq!(stronger, expected);
        assert_eq!(stronger.to_string().parse(), Ok(expected));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "bent",
            "elastic,",
            "shift=",
            "shift=1,elastic",
            "shift=one",
            "=1",
        ] {
            let error = text.parse::<Distortion>().unwrap_err();
            assert_eq!(error, ParseDistortionError::Syntax, "{text}");
        }
        for (text, name) in [
            ("shift=65", "shift"),
            ("end=-1", "end"),
            ("hold=nan", "hold"),
        ] {
            let error = text.parse::<Distortion>().unwrap_err().to_string();
            assert!(
                error.contains(&std::format!("must have {name} from 0 to")),
                "{error}"
            );
        }
    }

    #[test]
    fn strengths_fall_in_the_last_epochs() {
        let factors = [1, 14, 17, 20].map(|epoch| Distortion::ELASTIC.factor(epoch, 20));
        assert_eq!([factors[0], factors[1], factors[3]], [1.0, 1.0, 0.3]);
        assert!((factors[2] - 0.65).abs() < 1e-6);
        assert!([1, 9, 20].map(|epoch| Distortion::SHIFT.factor(epoch, 20)) == [1.0; 3]);
    }
}
