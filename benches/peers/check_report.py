"""Compares the figures of a report with those of scikit-learn on the same predictions.

    python benches/peers/check_report.py

Trains a net for two epochs that is tested on all test images of MNIST, and takes the probabilities
of `handwritten classify`. Confusion matrix, precision, recall, F1, the bins of the calibration and
the expected calibration error of `handwritten report` are those of scikit-learn and NumPy within
1e-6: probabilities have 32 bits.
"""

import json
import pathlib
import subprocess
import tempfile

import common
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

root = pathlib.Path(__file__).resolve().parents[2]
program = root / "target" / "release" / "handwritten"
run = pathlib.Path(tempfile.mkdtemp()) / "run"


def lines(*arguments):
    result = subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


flags = ["--split", "standard", "--epochs", "2", "--quiet", "--no-report", "--out", run]
subprocess.run([program, "train", *flags], check=True, stdout=subprocess.DEVNULL)
data = root / "data" / "mnist"
probabilities = np.array(
    [line["probabilities"] for line in lines("classify", run, "--data", data, "--json")]
)
labels = common.mnist(np, "t10k")[1].astype(int)
guesses = probabilities.argmax(1)
confidence = probabilities.max(1)
(report,) = lines("report", run, "--json")


def check(name, ours, theirs):
    furthest = np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).max()
    print(f"{name}: at most {furthest:.1e} apart")
    assert furthest < 1e-6, name


check("confusion matrix", report["confusion"], confusion_matrix(labels, guesses))
theirs = precision_recall_fscore_support(labels, guesses, zero_division=0)
for key, values in zip(["precision", "recall", "f1", "images"], theirs):
    check(key, [row[key] for row in report["classes"]], values)

bins = [row for row in report["calibration"] if row["images"] > 0]
right = guesses == labels
accuracy, mean = calibration_curve(right, confidence, n_bins=len(report["calibration"]))
check("accuracy of the bins", [row["accuracy"] for row in bins], accuracy)
check("confidence of the bins", [row["confidence"] for row in bins], mean)
counts = np.array([row["images"] for row in bins])
error = (counts * np.abs(accuracy - mean)).sum() / len(labels)
check("expected calibration error", report["expected_calibration_error"], error)
wrong = np.flatnonzero(~right)
assert sorted(report["mistakes"]) == list(wrong), "mistakes"
print(f"{len(wrong)} mistakes of {len(labels)} images: the same")
