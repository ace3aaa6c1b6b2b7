use super::axis::nice_step;
use super::confusion::{MAX_NUMBERED, shade};
use super::*;
use kuva::render::color::Color;

fn chart<T>(train: &[f64], val: &[f64], draw: fn(&LossCurves) -> T) -> T {
    let epochs: Vec<usize> = (1..=train.len()).collect();
    draw(&LossCurves {
        title: "a <&> b",
        y_label: "Loss",
        epochs: &epochs,
        train,
        val,
        best_epoch: 2,
    })
}

/// The classes "c0", "c1", … and counts that all differ.
fn matrix(n: usize) -> (Vec<String>, Vec<u64>) {
    let counts = (0..n * n).map(|i| 1000 + i as u64);
    ((0..n).map(|i| format!("c{i}")).collect(), counts.collect())
}

#[test]
fn chart_holds_both_curves_and_all_labels() {
    let svg = chart(&[0.6, 0.1, 0.01], &[0.25, 0.07, 0.08], loss_svg);
    for curve in [
        r##"stroke="#0072b2" stroke-width="2.6" fill="none""##,
        r##"stroke="#d55e00" stroke-width="2" fill="none""##,
    ] {
        assert_eq!(svg.matches(curve).count(), 1, "{svg}");
    }
    for label in [
        "Training loss",
        "Validation loss",
        "Best: epoch 2",
        "Epoch",
        "Loss",
        "a &lt;&amp;&gt; b",
    ] {
        assert!(svg.contains(&format!(">{label}</text>")), "{label}: {svg}");
    }
    assert!(svg.contains(r#"<rect width="100%" height="100%" fill="white""#));
    assert!(svg.contains(r#"width="800" height="500""#));
}

#[test]
fn same_curves_give_same_bytes() {
    let (train, val) = ([0.6, 0.1], [0.25, 0.07]);
    assert_eq!(chart(&train, &val, loss_svg), chart(&train, &val, loss_svg));
    assert_eq!(chart(&train, &val, loss_png), chart(&train, &val, loss_png));
    let (classes, counts) = matrix(3);
    let draw = || confusion_svg("t", &classes, &counts);
    assert_eq!(draw(), draw());
}

#[test]
fn every_run_can_be_drawn() {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::MAX,
        0.0,
        1e-300,
        8e5,
        8e5_f64.next_up(),
    ];
    for train in odd {
        for val in odd {
            for svg in [
                chart(&[train], &[val], loss_svg),
                chart(&[train, 0.5, val], &[val, train, 0.01], loss_svg),
            ] {
                assert!(svg.ends_with("</svg>"));
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
    for epochs in [0, 1, 2, 20, 200, 1000] {
        let falling: Vec<f64> = (0..epochs).map(|i| 1.0 / (1.0 + i as f64)).collect();
        let svg = chart(&falling, &falling, loss_svg);
        assert!(svg.contains(">Epoch</text>"));
        assert!(!svg.contains(">0</text>"), "there is no epoch 0");
    }
}

#[test]
fn ticks_tell_values_apart() {
    let svg = chart(&[2.3033, 2.2917], &[2.3031, 2.2920], loss_svg);
    for tick in ["2.292", "2.294", "2.302"] {
        assert!(svg.contains(&format!(">{tick}</text>")), "{tick}: {svg}");
    }
    let svg = chart(&[798_289.0, 797_869.0], &[798_000.0, 797_900.0], loss_svg);
    assert!(svg.contains(">797900</text>"), "{svg}");
    let svg = chart(&[0.6, 0.01], &[0.25, 0.07], loss_svg);
    for tick in ["0.5", "0.2", "0.1", "0.05", "0.02", "0.01"] {
        assert!(svg.contains(&format!(">{tick}</text>")), "{tick}: {svg}");
    }
}

#[test]
fn nice_steps_are_1_2_or_5_times_a_power_of_ten() {
    for (distance, step) in [
        (0.7, 1.0),
        (1.0, 1.0),
        (1.9, 2.0),
        (30.0, 50.0),
        (0.06, 0.1),
    ] {
        let found = nice_step(distance);
        assert!((found / step - 1.0).abs() < 1e-12, "{distance}: {found}");
    }
}

#[test]
fn png_is_the_chart_in_1280_by_800() {
    let png = chart(&[0.6, 0.1], &[0.25, 0.07], loss_png).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..20], 1280u32.to_be_bytes());
    assert_eq!(png[20..24], 800u32.to_be_bytes());
}

#[test]
fn confusion_holds_every_count_and_class() {
    for n in [1, 2, 10, MAX_NUMBERED] {
        let (classes, counts) = matrix(n);
        let svg = confusion_svg("<&> $x$", &classes, &counts);
        for count in &counts {
            assert_eq!(svg.matches(&format!(">{count}</text>")).count(), 1);
        }
        for class in &classes {
            assert_eq!(svg.matches(&format!(">{class}</text>")).count(), 2);
        }
        for label in ["True class", "Predicted class", "&lt;&amp;&gt; $x$"] {
            assert!(svg.contains(&format!(">{label}</text>")), "{label}");
        }
    }
}

#[test]
fn confusion_of_many_classes_has_cells_but_no_counts() {
    for n in [0, 47, 256] {
        let (classes, counts) = matrix(n);
        let svg = confusion_svg("many", &classes, &counts);
        assert!(svg.matches("<rect").count() > n * n);
        assert!(!svg.contains(">1000</text>"));
    }
}

#[test]
fn rare_errors_show_and_text_stands_out() {
    let rgb = |share| match shade(share) {
        (Color::Rgb(r, g, b), _) => [r, g, b],
        _ => unreachable!("cells are filled"),
    };
    assert_eq!(rgb(0.0), [255; 3]);
    assert!(rgb(1e-9)[0] < 240);
    // Darker with every decade.
    assert!(rgb(0.001)[0] > rgb(0.01)[0] && rgb(0.01)[0] > rgb(0.1)[0]);
    assert_eq!((shade(0.01).1, shade(0.98).1), (INK, "#ffffff"));
}

#[test]
#[should_panic(expected = "counts of 2 classes")]
fn confusion_of_the_wrong_size_panics() {
    let (classes, counts) = matrix(2);
    confusion_svg("t", &classes, &counts[1..]);
}
