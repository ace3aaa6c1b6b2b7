"""MNIST, the cases, the clock and the line of results, shared by the peers."""

import argparse
import gzip
import os
import pathlib
import statistics
import time

RATE, MOMENTUM, CLASSES = 0.05, 0.9, 10


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=7)
    args = parser.parse_args()
    # The libraries are imported after this and read these variables then.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    os.environ.pop("OPENBLAS_CORETYPE", None)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: args.threads])
    return args


def mnist(numpy, part="train"):
    """All images of a part (train or t10k) in [0, 1], each 784 numbers, and their labels."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "data" / "mnist"

    def read(name, header):
        with gzip.open(folder / f"{name}-ubyte.gz") as file:
            return numpy.frombuffer(file.read(), numpy.uint8, offset=header)

    pixels = read(f"{part}-images-idx3", 16).reshape(-1, 784)
    return pixels.astype(numpy.float32) / 255, read(f"{part}-labels-idx1", 8)


def start(numpy, hidden):
    """Initial weights (Glorot, uniform) and zero biases."""
    random = numpy.random.default_rng(1)

    def weights(inputs, outputs):
        limit = (6 / (inputs + outputs)) ** 0.5
        return random.uniform(-limit, limit, (inputs, outputs)).astype(numpy.float32)

    zeros = [numpy.zeros(n, numpy.float32) for n in (hidden, CLASSES)]
    return [weights(784, hidden), zeros[0], weights(hidden, CLASSES), zeros[1]]


def report(name, args, epoch):
    """Times `epoch`, which returns a loss when its work is done."""
    seconds = []
    # The first epoch may include compilation.
    for _ in range(args.epochs + 1):
        begin = time.perf_counter()
        loss = float(epoch())
        seconds.append(time.perf_counter() - begin)
    print(
        f"{name:8} H {args.hidden:4} batch {args.batch:5} threads {args.threads} "
        f"{statistics.median(seconds[1:]):8.4f} s/epoch  last loss {loss:.4f}",
        flush=True,
    )
