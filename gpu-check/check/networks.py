"""The raced architectures as plain torch modules, with the names that `tunefarm synth` gives their weights: so both sides of a race compute the
same function of the same numbers, which is checked before anything is timed."""
import mmap
import struct

import torch
import torch.nn.functional as F
from torch import nn


def perceptron():
    return nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1024))


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        out = width * 4
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        changes = stride != 1 or channels != out
        self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if changes else None

    def forward(self, x):  # [n][channels][h][w]
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for stage, blocks in enumerate((3, 4, 6, 3)):
            width, parts = 64 << stage, []
            for block in range(blocks):
                parts.append(Bottleneck(channels, width, 2 if stage and not block else 1))
                channels = width * 4
            setattr(self, f"layer{stage + 1}", nn.Sequential(*parts))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x):  # [n][3][224][224] -> [n][1000]
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class BertLayer(nn.Module):
    WIDTH, HEADS, INNER = 768, 12, 3072

    def __init__(self):
        super().__init__()
        w = self.WIDTH
        part = nn.Module
        self.attention = part()
        self.attention.self, self.attention.output = part(), part()
        self.attention.self.query, self.attention.self.key, self.attention.self.value = nn.Linear(w, w), nn.Linear(w, w), nn.Linear(w, w)
        self.attention.output.dense, self.attention.output.LayerNorm = nn.Linear(w, w), nn.LayerNorm(w)
        self.intermediate, self.output = part(), part()
        self.intermediate.dense = nn.Linear(w, self.INNER)
        self.output.dense, self.output.LayerNorm = nn.Linear(self.INNER, w), nn.LayerNorm(w)

    def heads(self, x):  # [b][s][768] -> [b][12][s][64]
        b, s, _ = x.shape
        return x.view(b, s, self.HEADS, -1).transpose(1, 2)

    def forward(self, x, mask):
        a = self.attention
        y = F.scaled_dot_product_attention(self.heads(a.self.query(x)), self.heads(a.self.key(x)), self.heads(a.self.value(x)), attn_mask=mask)
        x = a.output.LayerNorm(x + a.output.dense(y.transpose(1, 2).reshape(x.shape)))
        return self.output.LayerNorm(x + self.output.dense(F.gelu(self.intermediate.dense(x))))


class BertBase(nn.Module):
    def __init__(self):
        super().__init__()
        part = nn.Module
        self.embeddings, self.encoder, self.pooler = part(), part(), part()
        e = self.embeddings
        e.word_embeddings, e.position_embeddings, e.token_type_embeddings = nn.Embedding(30522, 768), nn.Embedding(512, 768), nn.Embedding(2, 768)
        e.LayerNorm = nn.LayerNorm(768)
        self.encoder.layer = nn.ModuleList(BertLayer() for _ in range(12))
        self.pooler.dense = nn.Linear(768, 768)

    def forward(self, input_ids, attention_mask, token_type_ids):  # each [b][s]
        e = self.embeddings
        x = e.word_embeddings(input_ids) + e.token_type_embeddings(token_type_ids) + e.position_embeddings.weight[: input_ids.shape[1]]
        x = e.LayerNorm(x)
        mask = (1 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler.dense(x[:, 0]))


# name: (module, inputs in the engine's order and how they are made, outputs)
def image(batch, dtype):
    return torch.randn(batch, 3, 224, 224, dtype=dtype)


def ids(batch, dtype):
    return torch.randint(0, 30522, (batch, 128))


def ones(batch, dtype):
    return torch.ones(batch, 128, dtype=torch.int64)


def kinds(batch, dtype):
    return torch.randint(0, 2, (batch, 128))


def features(batch, dtype):
    return torch.randn(batch, 1024, dtype=dtype)


NETWORKS = {
    "mlp": (perceptron, {"input": features}, ("output",)),
    "resnet50": (ResNet50, {"input": image}, ("output",)),
    "bert-base": (BertBase, {"input_ids": ids, "attention_mask": ones, "token_type_ids": kinds}, ("last_hidden_state", "pooler_output")),
}

# ---- weights out of the ONNX file: the few fields of protobuf that hold them ----

TYPES = {1: torch.float32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 16: torch.bfloat16}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data, at, end):
    """(number, value or (begin, end)) of a message in data[at:end]."""
    while at < end:
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = varint(data, at)
            yield key >> 3, (at, at + length)
            at += length
        else:
            at += 8 if key & 7 == 1 else 4


def tensor_of(data, begin, end):
    dims, kind, name, raw = [], 0, "", (0, 0)
    for number, value in fields(data, begin, end):
        if number == 1 and isinstance(value, tuple):
            at = value[0]
            while at < value[1]:
                dim, at = varint(data, at)
                dims.append(dim)
        elif number == 1:
            dims.append(value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = bytes(data[value[0]:value[1]]).decode()
        elif number == 9:
            raw = value
    if kind not in TYPES or raw[0] == raw[1]:
        return name, None
    return name, torch.frombuffer(bytearray(data[raw[0]:raw[1]]), dtype=TYPES[kind]).reshape(dims)


def weights_of(path):
    found = {}
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, value in fields(data, 0, len(data)):
            if number != 7:
                continue
            for inner, place in fields(data, *value):
                if inner == 5:
                    name, tensor = tensor_of(data, *place)
                    if tensor is not None:
                        found[name] = tensor
    return found


def network(name, path, dtype):
    """The module with the file's weights; raises when a weight is missing or left over in shape."""
    module = NETWORKS[name][0]().eval().to(dtype)
    given = weights_of(path)
    state = module.state_dict()
    for key in state:
        if key.endswith("num_batches_tracked"):
            continue
        tensor = given[key] if key in given else given[key + "_t"].t()
        if tensor.shape != state[key].shape:
            raise ValueError(f"{key}: {tuple(tensor.shape)} in the file, {tuple(state[key].shape)} here")
        state[key].copy_(tensor)
    return module


# ---- .npy ----

def npy_write(path, tensor):
    names = {torch.float32: "<f4", torch.float16: "<f2", torch.int64: "<i8"}
    head = f"{{'descr': '{names[tensor.dtype]}', 'fortran_order': False, 'shape': {tuple(tensor.shape)}, }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(bytes(tensor.contiguous().untyped_storage()))


def npy_read(path):
    import ast
    types = {"<f4": torch.float32, "<f2": torch.float16, "<i8": torch.int64}
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + length].decode())
    return torch.frombuffer(bytearray(data[10 + length:]), dtype=types[head["descr"]]).reshape(head["shape"])
