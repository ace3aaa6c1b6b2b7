use super::Settings;
use super::flags::Flags;
use handwritten::training::Keep;
use handwritten::{Config, Init};
use std::num::NonZeroUsize;

#[test]
fn what_is_written_is_read_back() {
    for text in [
        "",
        "hidden = [500, 300]\nactivation = \"relu\"\nbatch = \"full\"\nlr = 1e-5\n",
        "hidden = []\nschedule = \"step:10:0.5\"\npatience = 3\nseed = 18446744073709551615",
        "split = \"standard\"\nnesterov = true\nmomentum = 0.95\nweight_decay = 1e-4\nwarmup = 2",
        "schedule = \"linear\"",
        "as_is = true\nrecipe = \"quick\"\nlr = 0.25",
        "schedule = \"linear:0.65\"\ninit = \"lecun\"",
        "defects = [\"momentum-on-weights\", \"aliased-best\"]",
        "label_smoothing = 0.1",
        "label_smoothing = 0.1\nkeep = \"lowest-loss\"",
        "keep = \"highest-accuracy\"\naverage = \"ema:0.75\"",
        "average = \"last:10\"",
        "data = \"elsewhere\"\ninit = \"question\"\nloss = \"sum\"\nbatch = 7",
    ] {
        let settings: Settings = text.parse().unwrap();
        let written = settings.to_toml().unwrap();
        assert_eq!(written.parse(), Ok(settings), "{written}");
    }
}

#[test]
fn nothing_given_is_the_default() {
    let settings: Settings = "".parse().unwrap();
    assert_eq!(settings.training, Config::default());
    assert_eq!(settings.hidden, [128]);
    let settings: Settings = "activation = \"relu\"".parse().unwrap();
    assert_eq!(settings.init, Init::He);
}

#[test]
fn every_wrong_value_is_named() {
    for (text, message) in [
        ("lr = 0.0", "lr must be a number above 0, not 0"),
        ("lr = nan", "lr must be a number above 0, not NaN"),
        ("lr = -1e60", "lr must be a number above 0, not -1e60"),
        ("lr = inf", "lr must be a number above 0, not inf"),
        (
            "lr = 1e60",
            "lr must be a number above 0 in single precision too, where 1e60 is inf",
        ),
        (
            "lr = 1e-60",
            "above 0 in single precision too, where 1e-60 is 0.0",
        ),
        (
            "momentum = 0.999999999999",
            "to below 1 in single precision too, where 0.999999999999 is 1.0",
        ),
        (
            "momentum = 1.0",
            "momentum must be a number from 0 to below 1",
        ),
        (
            "weight_decay = -1.0",
            "weight-decay must be a number 0 or more",
        ),
        (
            "schedule = \"step:0:0.5\"",
            "schedule must be constant, cosine, linear",
        ),
        ("schedule = \"linear:1\"", "not \"linear:1\""),
        ("schedule = \"sine\"", "not \"sine\""),
        (
            "average = \"ema:1\"",
            "average must be ema:DECAY with a number above 0",
        ),
        // One line, whatever it names.
        ("split = \"a\\nb\"", "not \"a\\nb\""),
        (
            "activation = \"softplus\"",
            "one of sigmoid, relu, tanh, not \"softplus\"",
        ),
        ("hidden = [0]", "nonzero"),
        ("epochs = 0", "nonzero"),
        ("batch = \"half\"", "expected a number above 0, or \"full\""),
        (
            "defects = [\"luck\"]",
            "defects must be one of raw-logit-gradient, momentum-on-weights",
        ),
        ("rate = 1", "unknown field `rate`"),
    ] {
        let error = text.parse::<Settings>().unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn runs_that_name_no_rule_kept_the_lowest_loss() {
    let smooth = "label_smoothing = 0.1";
    let settings: Settings = smooth.parse().unwrap();
    assert_eq!(settings.training.keep, Keep::Last);
    let saved = Flags::of_saved_run(smooth).unwrap().resolve().unwrap();
    assert_eq!(saved.training.keep, Keep::LowestLoss);
    // The file of a run says so by its first line.
    let path = std::env::temp_dir().join(format!("handwritten-keep-{}.toml", std::process::id()));
    for (head, keep) in [
        ("", Keep::Last),
        (
            "# Everything that decides this run; and more\n",
            Keep::LowestLoss,
        ),
    ] {
        std::fs::write(&path, format!("{head}{smooth}")).unwrap();
        let settings = Flags::read(&path).unwrap().resolve().unwrap();
        assert_eq!(settings.training.keep, keep);
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn flags_win_over_the_file() {
    let file = Flags {
        epochs: NonZeroUsize::new(5),
        seed: Some(2),
        ..Flags::default()
    };
    let flags = Flags {
        seed: Some(3),
        ..Flags::default()
    };
    let settings = flags.or(file).resolve().unwrap();
    assert_eq!((settings.training.epochs, settings.training.seed), (5, 3));
}
