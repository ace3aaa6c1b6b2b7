"""Classification by 784-H-10 in ONNX Runtime, input and output bound once, so that a call
copies nothing. Writes the ONNX files that the Rust peers read."""

import common_inference

args = common_inference.arguments()
import common
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def session(hidden, params):
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["z1"]),
        helper.make_node("Sigmoid", ["z1"], ["a"]),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("x", TensorProto.FLOAT, ["images", 784])],
        [value("logits", TensorProto.FLOAT, ["images", 10])],
        [numpy_helper.from_array(x, name) for x, name in zip(params, ["w1", "b1", "w2", "b2"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, common_inference.path(hidden, "onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def bound(net, images):
    """A call that answers for the images that are in this array then."""
    logits = np.zeros((len(images), 10), np.float32)
    binding = net.io_binding()
    for name, array, bind in [
        ("x", images, binding.bind_input),
        ("logits", logits, binding.bind_output),
    ]:
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def answer():
        net.run_with_iobinding(binding)
        return logits

    # The binding holds addresses only.
    answer.arrays = images, logits
    return answer


images = common.mnist(np, "t10k")[0]
for hidden in args.hidden:
    params, expected = common_inference.net(np, hidden)
    net = session(hidden, params)
    one = np.zeros((1, 784), np.float32)
    answers = bound(net, one), bound(net, images)
    common_inference.report(np, "onnxruntime", args, hidden, one, *answers, expected)
