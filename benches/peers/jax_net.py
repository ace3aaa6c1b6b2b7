"""784-H-10 in JAX: one compiled scan over the epoch's mini-batches."""

import os

import common

args = common.arguments()
os.environ["JAX_PLATFORMS"] = "cpu"
if args.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax
import jax.numpy as jnp
import numpy as np

X, labels = (jnp.asarray(part) for part in common.mnist(np))
params = [jnp.asarray(w) for w in common.start(np, args.hidden)]
velocity = [jnp.zeros_like(w) for w in params]
steps = len(X) // args.batch


def loss_of(params, x, y):
    W1, b1, W2, b2 = params
    logits = jax.nn.sigmoid(x @ W1 + b1) @ W2 + b2
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def step(state, batch):
    params, velocity = state
    x, y = (X, labels) if args.batch == len(X) else (X[batch], labels[batch])
    loss, gradient = jax.value_and_grad(loss_of)(params, x, y)
    velocity = [common.MOMENTUM * v - common.RATE * g for v, g in zip(velocity, gradient)]
    params = [w + v for w, v in zip(params, velocity)]
    return (params, velocity), loss


@jax.jit
def scan(state, order):
    return jax.lax.scan(step, state, order)


state = (params, velocity)
random = np.random.default_rng(1)


def epoch():
    """Trains for an epoch without the last mini-batch if that is shorter."""
    global state
    order = random.permutation(len(X))[: steps * args.batch].astype(np.int32)
    state, losses = scan(state, jnp.asarray(order.reshape(steps, args.batch)))
    return losses.mean()


common.report("jax", args, epoch)
