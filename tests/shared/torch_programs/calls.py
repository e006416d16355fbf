"""The statements of random programs: products, arithmetic, modules, losses, functions and loops."""

from __future__ import annotations

import torch

from .maker import Maker, floats, listed, often
from .values import nn_rnn


@often(9)
def product(m: Maker) -> str | None:
    x = m.tensor(lambda v: v.dim() > 0 and floats(v))
    if x is None:
        return None
    value = m.names[x]
    if not value.dim():
        return m.let(f"{x} @ {m.tensor()}")
    inner = value.shape[-1] if not m.slips else m.size()
    lead = list(value.shape[:-2]) if not m.slips else m.sizes(max(value.dim() - 2, 1))
    right = m.any([inner], [inner, m.size()], [*lead, inner, m.size()], [1, inner, m.size()])
    other = f"torch.{m.any('randn', 'zeros')}({listed(right)})"
    fits = [n for n, v in m.tensors().items() if v.dim() and floats(v) and v.shape[max(-2, -v.dim())] == inner]
    if fits and m.maybe(0.6):
        other = m.random.choice(fits)
    three = f"torch.zeros({listed([*value.shape[:1], inner, m.size()])})"
    two = f"torch.zeros({inner}, {m.size()})"
    calls = [f"{x} @ {other}", f"{x} @ {other}", f"torch.matmul({x}, {other})", f"{x} @ {x}.transpose(-1, -2)"]
    if value.dim() == 3 or m.slips:
        calls += [f"torch.bmm({x}, {three})", f"{x}.bmm({x}.transpose(1, 2))", f"torch.bmm({x}, {other})"] * 2
    if value.dim() == 2 or m.slips:
        calls += [f"torch.mm({x}, {two})", f"{x}.mm({other})", f"{x}.mv(torch.zeros({inner}))", f"{x} @ {x}.T"]
    if value.dim() == 1:
        calls += [f"torch.dot({x}, torch.ones({inner}))", f"{x}.dot({other})"]
    return m.let(m.any(*calls))


@often(5)
def summed(m: Maker) -> str | None:
    x = m.tensor(lambda v: floats(v) and 0 < v.dim() < 5)
    y = m.tensor(lambda v: floats(v) and 0 < v.dim() < 5)
    if x is None or y is None:
        return None
    a, b = m.names[x], m.names[y]
    letters = "abcde"[: a.dim()]
    if a.dim() and b.dim() and m.maybe(0.6):
        right = [
            m.any(*[c for c, s in zip(letters, a.shape, strict=False) if s == size] or ["x", "y"]) for size in b.shape
        ]
        if m.slips:
            right[-1] = m.any(*letters, "z")
        term = "".join(right)
        out = [c for c in dict.fromkeys(letters + term) if m.maybe(0.6)]
        return m.let(f'torch.einsum("{letters},{term}{m.any(f"->{listed(out)}".replace(", ", ""), "")}", {x}, {y})')
    out = list(letters)
    m.random.shuffle(out)
    return m.let(
        m.any(
            f'torch.einsum("{letters}->{"".join(out)}", {x})',
            f'torch.einsum("...i,ij->...j", {x}, torch.zeros({a.shape[-1] if a.dim() else 2}, {m.size()}))',
            f'torch.einsum("bij,bjk->bik", {x}, {y})',
            f'torch.einsum("bi,bi->b", {x}, {y})',
            f'torch.einsum("ij,jk->ik", {x}, {y})',
            f'torch.einsum("btd,bd->bt", {x}, {y})',
        )
    )


@often(10)
def arithmetic(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    value = m.names[x]

    def fits(v: torch.Tensor) -> bool:
        return all(a == b or 1 in (a, b) for a, b in zip(reversed(v.shape), reversed(value.shape), strict=False))

    y = m.tensor(fits)
    sizes = [m.any(1, size, size) for size in value.shape][m.any(0, 0, 1) :]
    if sizes and m.slips:
        sizes[m.random.randrange(len(sizes))] = m.size()
    fresh = f"torch.{m.any('ones', 'randn')}({listed(sizes)})" if sizes else "2.0"
    other = m.any(y, fresh, str(m.any(2, 0.5, 3)))
    sign = m.any("+", "-", "*", "*", "+", "/")
    return m.any(
        m.let(f"{x} {sign} {other}"),
        m.let(f"{other} {sign} {x}"),
        m.let(f"torch.{m.any('add', 'mul', 'maximum', 'sub')}({x}, {y})"),
        m.let(f"{x}.{m.any('add', 'mul', 'sub', 'div')}({other})"),
        m.let(f"({x} {m.any('>', '<', '==', '>=')} {other})"),
        f"{x} {m.any('+=', '*=', '-=')} {other}",
        f"{x}.{m.any('add_', 'mul_')}({other})",
    )


@often(6)
def reduced(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    rank = m.names[x].dim()
    at = m.dim(rank)
    keep = m.any("", "", ", keepdim=True")
    pair = sorted({m.dim(rank) % max(rank, 1), m.dim(rank) % max(rank, 1)}) if not m.slips else [0, m.dim(rank)]
    word = m.any("mean", "sum", "amax", "sum")
    return m.let(
        m.any(
            f"{x}.{word}({m.any('', 'dim=')}{at}{keep})",
            f"torch.{word}({x}, dim={at}{keep})",
            f"{x}.{word}(({listed(pair)},){keep})",
            f"{x}.{m.any('mean', 'sum', 'max', 'min', 'std')}()",
            f"{x}.{m.any('max', 'min')}({at}{keep})[0]",
            f"torch.max({x}, {m.any('', 'dim=')}{at}{keep}).values",
            f"{x}.argmax({m.any('', 'dim=')}{at}{keep})",
            f"{x}.norm(dim={at})",
        )
    )


@often(4)
def applied(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    at = m.dim(m.names[x].dim())
    return m.let(
        m.any(
            f"F.softmax({x}, dim={at})",
            f"{x}.softmax({at})",
            f"F.log_softmax({x}, {m.any('', 'dim=')}{at})",
            f"nn.Softmax(dim={at})({x})",
            f"torch.{m.any('relu', 'tanh', 'sigmoid', 'exp', 'abs')}({x})",
            f"F.{m.any('relu', 'gelu', 'silu')}({x})",
            f"nn.{m.any('ReLU', 'Tanh', 'Dropout', 'Identity')}()({x})",
            f"{x}.cumsum({at})",
            f"{x}.{m.any('float', 'long', 'double', 'bool', 'detach', 'contiguous', 'float')}()",
        )
    )


@often(6)
def normed(m: Maker) -> str | None:
    x = m.tensor(floats)
    if x is None:
        return None
    value = m.names[x]
    last = value.shape[-1] if value.dim() and not m.slips else m.size()
    channels = value.shape[1] if value.dim() > 1 and not m.slips else m.size()
    kernel = m.any(1, 2, 3)
    front = value.shape[-2] if value.dim() > 1 and not m.slips else m.size()
    layer = m.any(
        f"nn.LayerNorm({m.any(last, f'({last},)', f'[{last}]')})",
        f"nn.LayerNorm(({front}, {last}))",
        f"nn.BatchNorm1d({channels})",
        f"nn.Conv1d({front}, {m.size()}, "
        f"{m.any(kernel, f'kernel_size={kernel}')}{m.any('', ', padding=1', ', stride=2')})",
        f"nn.MaxPool1d({kernel})",
        f"nn.AvgPool1d({kernel}{m.any('', ', 1', ', stride=2')})",
        f"nn.AdaptiveAvgPool1d({m.any(1, 2)})",
        f"nn.Sequential(nn.Linear({last}, {m.size()}), nn.ReLU(), nn.LayerNorm({m.size()}))",
        f"nn.Sequential(nn.LayerNorm({last}), nn.Linear({last}, {m.size()}), nn.Tanh())",
    )
    if m.maybe(0.5):
        return m.let(f"{layer}({x})")
    name = f"layer{len(m.lines)}"
    m.lines.append(f"{name} = {layer}")
    exec(m.lines[-1], m.names)
    return m.let(f"{name}({x})")


@often(3)
def embedded(m: Maker) -> str | None:
    x = m.tensor(lambda v: v.dtype == torch.int64 and (v.numel() == 0 or int(v.min()) >= 0))
    if x is None:
        ids = f"torch.randint(0, 5, ({m.size()}, {m.size()}))"
        return m.let(f"nn.Embedding({m.any(5, 9)}, {m.size()})({ids})")
    return m.let(f"nn.Embedding({m.any(9, 30)}, {m.size()})({x})")


@often(6)
def enlarged(m: Maker) -> str | None:
    x = m.tensor(lambda v: 1 in v.shape)
    if x is None:
        return None
    value = m.names[x]
    if value.numel() > 3000 or not value.dim():
        return None
    sizes = [m.any(m.size(), -1) if size == 1 else m.any(size, -1) for size in value.shape]
    if m.maybe(0.3):
        sizes.insert(0, m.any(m.size(), m.size(), -1 if m.slips else 2))
    if sizes and m.slips:
        sizes[m.random.randrange(len(sizes))] = m.size()
    times = [m.any(1, 1, 2) for _ in value.shape]
    if m.maybe(0.3) or not times:
        times.insert(0, 2)
    if m.slips:
        times = times[:-1]
    return m.let(
        m.any(
            f"{x}.expand({listed(sizes)})",
            f"{x}.expand({listed(sizes)})",
            f"{x}.repeat({listed(times)})",
            f"{x}.expand_as({m.tensor()})",
            f"torch.broadcast_to({x}, ({listed(sizes)},))",
        )
    )


@often(6)
def parted(m: Maker) -> str | None:
    x = m.tensor(lambda v: v.dim() > 0)
    if x is None:
        return None
    value = m.names[x]
    at = m.dim(value.dim())
    size = value.shape[at] if value.dim() and -value.dim() <= at < value.dim() else 3
    count = m.any(2, 2, 3, 4)
    pieces = -(-size // -(-size // count)) if size else count
    names = [f"p{i}" for i in range(pieces if not m.slips else count)]
    step = m.any(1, 2, m.size(), 3)
    parts = -(-size // step) if step else 1
    cut = m.random.randint(0, size)
    sections = [cut, size - cut] if not m.slips else [cut, m.size()]
    left = ", ".join(f"q{i}" for i in range(parts if not m.slips else 2))
    rows = ", ".join(f"r{i}" for i in range(value.shape[0] if value.dim() and not m.slips else 2))
    comma = "," if len(names) == 1 else ""
    first = "," if parts == 1 and "," not in left else ""
    single = "," if rows and "," not in rows else ""
    return m.any(
        f"{', '.join(names)}{comma} = {x}.chunk({count}, {m.any('', 'dim=')}{at})",
        f"{', '.join(names)}{comma} = torch.chunk({x}, {count}, dim={at})",
        f"{m.target()} = {x}.chunk({count}, {at})[{m.any(0, -1, 1)}]",
        f"{left}{first} = {x}.split({step}, dim={at})" if parts < 6 and left else None,
        f"s0, s1 = torch.split({x}, [{listed(sections)}], {at})",
        f"{rows}{single} = {x}" if 0 < len(rows) < 30 else None,
        f"{rows}{single} = {x}.unbind(0)" if 0 < len(rows) < 30 else None,
        f"p0, *rest = {x}",
        f"{m.target()} = torch.stack({x}.unbind({at}), {m.dim(value.dim())})",
    )


@often(5)
def packed(m: Maker) -> str | None:
    layer = m.random.choice(m.modules(nn_rnn))
    # An LSTM without a state does not look at the features of packed steps, and may read beyond its weights.
    slips = m.slips and not isinstance(m.names[layer], torch.nn.LSTM)
    width = m.size() if slips else m.names[layer].input_size
    first = m.maybe()
    time, batch = m.any(3, 4, 5), m.any(1, 2, 3)
    shape = [batch, time, width] if first else [time, batch, width]
    lengths = sorted((m.random.randint(1, time) for _ in range(batch if not m.slips else batch + 1)), reverse=True)
    if m.slips:
        m.random.shuffle(lengths)
        lengths[0] = m.any(0, lengths[0])
    given = m.any(f"{lengths}", f"torch.tensor({lengths})")
    x = f"torch.randn({listed(shape)})"
    options = m.any("", ", batch_first=True") if m.slips else ", batch_first=True" if first else ""
    options += m.any("", ", enforce_sorted=False")
    m.lines.append(f"packed = pack_padded_sequence({x}, {given}{options})")
    exec(m.lines[-1], m.names)
    m.lines.append(f"out, state = {layer}(packed)")
    exec(m.lines[-1], m.names)
    y = m.target()
    return f"{y}, lengths = pad_packed_sequence(out{m.any('', ', batch_first=True', ', total_length=5')})"


@often(2)
def padded(m: Maker) -> str | None:
    width = m.size()
    items = [f"torch.ones({m.size()}, {width if not m.slips else m.size()})" for _ in range(m.any(2, 3))]
    return m.let(f"pad_sequence([{', '.join(items)}]{m.any('', ', batch_first=True')})")


@often(7)
def lost(m: Maker) -> str | None:
    x = m.tensor(lambda v: floats(v) and 0 < v.dim() < 4)
    if x is None:
        return None
    value = m.names[x]
    shape = [*value.shape[:1], *value.shape[2:]] if value.dim() > 1 else []
    if shape and m.slips:
        shape[m.random.randrange(len(shape))] = m.size()
    if m.slips:
        shape = [*shape, 2]
    zeros = f"torch.zeros({listed(shape)}{', ' if shape else '(), '}dtype=torch.long)"
    wrong = m.tensor()
    y = m.tensor(lambda v: v.shape == value.shape)
    name = m.any("F.cross_entropy(", "F.nll_loss(", "nn.CrossEntropyLoss()(", "nn.NLLLoss()(")
    other = m.any(
        "F.mse_loss(", "F.l1_loss(", "nn.MSELoss()(", "F.binary_cross_entropy_with_logits(", "nn.SmoothL1Loss()("
    )
    return m.any(f"loss = {name}{x}, {m.any(zeros, zeros, zeros, wrong)})", f"loss = {other}{x}, {y or wrong})")


@often(3)
def attended(m: Maker) -> str | None:
    x = m.tensor(lambda v: floats(v) and v.dim() in (2, 3) and v.shape[-1] in (4, 6, 8))
    if x is None:
        return None
    value = m.names[x]
    width = value.shape[-1] if value.dim() and value.shape[-1] in (4, 6, 8) and not m.slips else 8
    shape = list(value.shape)
    if len(shape) == 3 and m.maybe(0.4):
        shape[m.any(0, 1) if m.slips else 0] = m.size()
    key = m.any(x, x, f"torch.randn({listed(shape)})" if shape else x)
    first = m.any("", ", batch_first=True")
    mask = m.any("", "", f", attn_mask=torch.zeros({m.size()}, {m.size()})", ", need_weights=False")
    y = m.target()
    return f"{y}, weights = nn.MultiheadAttention({width}, 2{first})({x}, {key}, {key}{mask})"


@often(4)
def masked(m: Maker) -> str | None:
    x = m.tensor(floats)
    if x is None:
        return None
    value = m.names[x]
    mask = m.tensor(lambda v: v.dtype == torch.bool)
    sizes = [m.any(1, size, size) for size in value.shape]
    if sizes and m.slips:
        sizes[m.random.randrange(len(sizes))] = m.size()
    fresh = f"torch.ones({listed(sizes)}) > 0" if sizes else f"{x} > 0"
    mask = m.any(fresh, fresh, mask or fresh)
    return m.let(m.any(f"{x}.masked_fill({mask}, 0.0)", f"torch.where({mask}, {x}, {m.any('0.0', x, m.tensor())})"))


@often(4)
def function(m: Maker) -> str | None:
    x = m.tensor(lambda v: v.dim() > 0)
    if x is None:
        return None
    rank = m.names[x].dim()
    body = m.any(
        f"return v.transpose({m.dim(rank)}, {m.dim(rank)})",
        f"return v + torch.ones({m.any(m.names[x].shape[-1] if rank else 1, m.size())})",
        f"w = v.mean({m.dim(rank)})\n    return w * 2",
        f"for _ in range(2):\n        v = v.unsqueeze({m.any(0, -1)})\n    return v",
        "return v.reshape(-1)",
        f"return torch.cat([v, v], {m.dim(rank)})",
        f"return v @ torch.ones({m.any(m.names[x].shape[-1] if rank else 1, m.size())}, 3)",
    )
    name = f"f{len(m.lines)}"
    m.run(f"def {name}(v):\n    {body}")
    return m.let(f"{name}({x})")


@often(4)
def module(m: Maker) -> str | None:
    x = m.tensor(lambda v: floats(v) and v.dim() in (2, 3))
    if x is None:
        return None
    value = m.names[x]
    width = value.shape[-1] if value.dim() and not m.slips else m.size()
    hidden, name = m.any(3, 4), f"Model{len(m.lines)}"
    head = hidden if not m.slips else m.size()
    tail = m.any("self.head(out)", "self.head(out[-1])", "self.head(out).squeeze(-1)", "self.head(out) + out")
    m.run(
        f"class {name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.gru = nn.GRU({width}, {hidden})\n        self.head = nn.Linear({head}, {m.any(1, hidden)})\n\n"
        f"    def forward(self, v):\n        out, _ = self.gru(v)\n        return {tail}"
    )
    return m.let(f"{name}()({x})")


@often(4)
def loop(m: Maker) -> str | None:
    x = m.tensor(lambda v: floats(v) and v.dim() > 0)
    if x is None:
        return None
    value = m.names[x]
    size = value.shape[0] if value.dim() else 2
    last = value.shape[-1] if value.dim() else 2
    return m.any(
        f"for i in range({m.any(2, 3)}):\n    {x} = {x} * {m.any(2, f'torch.ones({last})')}",
        f"for i in range({size + (1 if m.slips else 0)}):\n    row = {x}[i]",
        f"rows = []\nfor i in range({m.any(2, 3)}):\n    rows.append({x})\nstacked = torch.stack(rows)",
        f"for i in range(2):\n    {x} = torch.cat([{x}, {x}], {m.dim(value.dim())})" if value.numel() < 500 else None,
        f"for row in {x}:\n    total = row.sum()",
        f"for i in range(2):\n    {x} = nn.Linear({last}, {m.any(last, last, m.size())})({x})",
        f"rows = [row.sum() for row in {x}]\nstacked = torch.stack(rows)",
    )


@often(2)
def stored(m: Maker) -> str | None:
    x = m.tensor(lambda v: v.dim() > 0)
    if x is None:
        return None
    value = m.names[x]
    inner = list(value.shape[1:])
    if inner and m.slips:
        inner[m.random.randrange(len(inner))] = m.size()
    other = f"torch.ones({listed(inner)})" if inner else "1"
    at = m.random.randrange(max(value.shape[0], 1)) if value.dim() and not m.slips else m.size()
    return f"{x} = {x}.clone()\n{x}[{m.any(at, at, ':', '-1')}] = {m.any(other, other, 0)}"
