"""784-H-10 in numpy, with operations in place where numpy offers them."""

import common

args = common.arguments()
import numpy as np

X, labels = common.mnist(np)
Y = np.eye(common.CLASSES, dtype=np.float32)[labels]
params = common.start(np, args.hidden)
velocity = [np.zeros_like(w) for w in params]
random = np.random.default_rng(1)
# Maximum number of images at a time, so that the buffers of a full batch stay in the caches.
CHUNK = 1024
rows = min(args.batch, CHUNK)
x = np.empty((rows, 784), np.float32)
hidden = np.empty((rows, args.hidden), np.float32)
delta = np.empty_like(hidden)


def gradient(chunk, scale):
    W1, b1, W2, b2 = params
    n = len(chunk)
    np.take(X, chunk, axis=0, out=x[:n])
    a, d = hidden[:n], delta[:n]
    np.matmul(x[:n], W1, out=a)
    a += b1
    np.negative(a, out=a)
    np.exp(a, out=a)
    a += 1
    np.reciprocal(a, out=a)
    z = a @ W2
    z += b2
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    y = Y[chunk]
    loss = -np.log(np.maximum((z * y).sum(axis=1), 1e-38)).sum()
    z -= y
    z *= scale
    np.matmul(z, W2.T, out=d)
    d *= a
    a -= 1
    d *= a
    np.negative(d, out=d)
    # `a` holds σ − 1 here; the product with the output gradient needs σ.
    a += 1
    return loss, [x[:n].T @ d, d.sum(axis=0), a.T @ z, z.sum(axis=0)]


def epoch():
    order = np.arange(len(X)) if args.batch == len(X) else random.permutation(len(X))
    total = 0.0
    for first in range(0, len(X), args.batch):
        batch = order[first : first + args.batch]
        sums = None
        for at in range(0, len(batch), CHUNK):
            loss, parts = gradient(batch[at : at + CHUNK], np.float32(1 / len(batch)))
            total += loss
            if sums is None:
                sums = parts
            else:
                for s, part in zip(sums, parts):
                    s += part
        for w, v, g in zip(params, velocity, sums):
            v *= common.MOMENTUM
            g *= common.RATE
            v -= g
            w += v
    return total / len(X)


common.report("numpy", args, epoch)
