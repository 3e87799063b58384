"""A network small enough for an emulated GPU, written as ONNX by hand: two products with bias, a relu, a softmax over [2][8]."""
import random
import struct


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def weight(name, dims, seed):
    source = random.Random(seed)
    count = 1
    for dim in dims:
        count *= dim
    raw = struct.pack(f"<{count}f", *(source.uniform(-1, 1) for _ in range(count)))
    return text(5, b"".join(number(1, dim) for dim in dims) + number(2, 1) + text(8, name) + text(9, raw))


def node(kind, inputs, output):
    return text(1, b"".join(text(1, name) for name in inputs) + text(2, output) + text(3, output + "_node") + text(4, kind))


def value(field, name, dims):
    shape = b"".join(text(1, number(1, dim)) for dim in dims)
    return text(field, text(1, name) + text(2, text(1, number(1, 1) + text(2, shape))))


def model_bytes():
    graph = node("Gemm", ("x", "w1", "b1"), "a") + node("Relu", ("a",), "b") + node("Gemm", ("b", "w2", "b2"), "c") + node("Softmax", ("c",), "y")
    graph += text(2, "tiny") + weight("w1", (12, 20), 1) + weight("b1", (20,), 2) + weight("w2", (20, 8), 3) + weight("b2", (8,), 4)
    graph += value(11, "x", (2, 12)) + value(12, "y", (2, 8))
    return number(1, 8) + text(7, graph) + text(8, text(1, "") + number(2, 17))


def write(path):
    with open(path, "wb") as file:
        file.write(model_bytes())
