"""The nets that `cargo bench --bench inference` wrote, the test images, the clock and the lines
of results, shared by the peers that answer."""

import argparse
import os
import pathlib
import time

import common

ROUNDS, IMAGES = 20, 1000


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hidden", type=int, nargs="*", default=[30, 128, 500, 1000])
    args = parser.parse_args()
    # The libraries are imported after this and read these variables then.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: args.threads])
    return args


def path(hidden, end):
    root = pathlib.Path(__file__).resolve().parents[2]
    return root / "target" / "inference" / f"784-{hidden}-10.{end}"


def net(numpy, hidden):
    """W1 (784×H), b1, W2 (H×10) and b2, and the logits of the test images (10000×10)."""
    params = numpy.fromfile(path(hidden, "params"), numpy.float32)
    ends = numpy.cumsum([784 * hidden, hidden, hidden * 10, 10])
    w1, b1, w2, b2 = numpy.split(params, ends[:-1])
    logits = numpy.fromfile(path(hidden, "logits"), numpy.float32).reshape(-1, 10)
    return [w1.reshape(784, hidden), b1, w2.reshape(hidden, 10), b2], logits


def report(numpy, name, args, hidden, one, answer_one, answer_all, expected):
    """Compares the logits, then times. `one` is the memory of one image, which is rewritten;
    `answer_one()` and `answer_all()` return logits."""
    images = common.mnist(numpy, "t10k")[0]
    assert numpy.abs(answer_all() - expected).max() < 1e-3, f"{name}: other logits"
    one[0] = images[7]
    assert numpy.abs(answer_one() - expected[7]).max() < 1e-3, f"{name}: other logits"
    calls = []
    for _ in range(ROUNDS):
        for image in images[:IMAGES]:
            one[0] = image
            start = time.perf_counter()
            answer_one()
            calls.append(time.perf_counter() - start)
    whole = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        answer_all()
        whole.append((time.perf_counter() - start) / len(images))
    means = numpy.array(calls).reshape(ROUNDS, -1).mean(1)
    figures = [means.min(), *numpy.quantile(calls, [0.5, 0.99]), min(whole)]
    print(
        f"{name:12} {args.threads:7} {hidden:5}"
        + "".join(f"{1e6 * figure:9.3f}" for figure in figures),
        flush=True,
    )
