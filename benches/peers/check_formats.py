"""Compares what `handwritten convert` writes with what other programs make of it.

    python benches/peers/check_formats.py RUN

The logits of an ONNX file in ONNX Runtime are within 1e-5 of those of NumPy in double precision
on all test images of MNIST, whether it takes bytes or numbers, and its probabilities are their
softmax. NumPy and safetensors read the same bits from each file, and what they write is read back
without a changed bit.
"""

import pathlib
import subprocess
import sys
import tempfile

import common
import numpy as np
import onnxruntime
import safetensors.numpy

run = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
program = root / "target" / "release" / "handwritten"
folder = pathlib.Path(tempfile.mkdtemp())


def convert(source, name, *flags):
    path = folder / name
    subprocess.run([program, "convert", source, path, *flags], check=True, stdout=subprocess.DEVNULL)
    return path


images = common.mnist(np, "t10k")[0]
pixels = np.rint(images * 255).astype(np.uint8)
tensors = safetensors.numpy.load_file(run / "model.safetensors")
names = sorted({name.split(".")[0] for name in tensors}, key=int)
a = images.astype(np.float64)
for name in names:
    z = a @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]
    a = 1 / (1 + np.exp(-z))
expected = np.exp(z - z.max(1, keepdims=True))
expected /= expected.sum(1, keepdims=True)


def answers(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": inputs})[0]


for inputs, flag in [(images, "f32"), (pixels, "u8")]:
    for answer, output in [(z, "logits"), (expected, "softmax")]:
        path = convert(run, f"{flag}-{output}.onnx", "--input", flag, "--output", output)
        furthest = np.abs(answers(path, inputs) - answer).max()
        print(f"onnx, {flag}, {output}: at most {furthest:.1e} apart on {len(images)} images")
        assert furthest < 1e-5

archive = np.load(convert(run, "net.npz"))
for name, tensor in tensors.items():
    assert archive[name].tobytes() == tensor.tobytes(), name
np.savez_compressed(folder / "numpy.npz", **{name: archive[name] for name in tensors})
safetensors.numpy.save_file(tensors, folder / "other.safetensors")
for source in ["numpy.npz", "other.safetensors"]:
    back = convert(folder / source, f"{source}.safetensors", "--activation", "sigmoid")
    back = safetensors.numpy.load_file(back)
    assert {name: x.tobytes() for name, x in back.items()} == {
        name: x.tobytes() for name, x in tensors.items()
    }, source
print("numpy and safetensors: every bit there and back")
