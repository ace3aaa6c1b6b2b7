"""784-H-10 in PyTorch, eager."""

import common

args = common.arguments()
import numpy as np
import torch

torch.set_num_threads(args.threads)
X, labels = common.mnist(np)
X, labels = torch.from_numpy(X), torch.from_numpy(labels.astype(np.int64))
net = torch.nn.Sequential(
    torch.nn.Linear(784, args.hidden), torch.nn.Sigmoid(), torch.nn.Linear(args.hidden, 10)
)
optimizer = torch.optim.SGD(net.parameters(), lr=common.RATE, momentum=common.MOMENTUM)
loss_of = torch.nn.CrossEntropyLoss()


def epoch():
    full = args.batch == len(X)
    order = torch.arange(len(X)) if full else torch.randperm(len(X))
    total = 0.0
    for batch in order.split(args.batch):
        x, y = (X, labels) if full else (X[batch], labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(X)


common.report("pytorch", args, epoch)
