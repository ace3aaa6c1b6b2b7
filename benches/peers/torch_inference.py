"""Classification by 784-H-10 in PyTorch, in inference mode."""

import common_inference

args = common_inference.arguments()
import common
import numpy as np
import torch

torch.set_num_threads(args.threads)
images = torch.from_numpy(common.mnist(np, "t10k")[0])
for hidden in args.hidden:
    (w1, b1, w2, b2), expected = common_inference.net(np, hidden)
    linear = torch.nn.Linear
    net = torch.nn.Sequential(linear(784, hidden), torch.nn.Sigmoid(), linear(hidden, 10))
    with torch.inference_mode():
        for layer, weights, biases in [(net[0], w1, b1), (net[2], w2, b2)]:
            layer.weight.copy_(torch.from_numpy(weights.T.copy()))
            layer.bias.copy_(torch.from_numpy(biases))
        one = torch.zeros(1, 784)
        common_inference.report(
            np,
            "pytorch",
            args,
            hidden,
            one.numpy(),
            lambda: net(one).numpy(),
            lambda: net(images).numpy(),
            expected,
        )
