"""The statements of random programs: values, layers, views, joins and indices."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from .maker import Maker, floats, has, listed, often


@often(6)
def made(m: Maker) -> str | None:
    rank = m.any(1, 2, 2, 3, 3, 3, 4)
    sizes = listed(m.sizes(rank))
    words = ["zeros", "ones", "randn", "rand", "empty"]
    call = f"torch.{m.any(*words)}({m.any(sizes, sizes, f'({sizes},)', f'[{sizes}]')})"
    if m.maybe(0.08):
        call = call[:-1] + f", dtype=torch.{m.any('float32', 'long', 'int64', 'bool', 'float64')})"
    if ("rand" in call or "empty" in call) and "dtype" in call:
        call = f"torch.zeros({sizes})"
    return m.let(call)


@often(3)
def literal(m: Maker) -> str | None:
    count = m.any(2, 3, 4, m.size())
    numbers = [m.random.randrange(0, 6) for _ in range(count)]
    rows = [[m.random.randrange(0, 4) for _ in range(m.any(count, 3))] for _ in range(2)]
    return m.let(
        m.any(
            f"torch.tensor({numbers})",
            f"torch.tensor({[float(n) for n in numbers]})",
            f"torch.arange({m.size()})",
            f"torch.arange({m.size() * 2}).float()",
            f"torch.randint(0, 4, ({listed(m.sizes(m.any(1, 2)))},))",
            f"torch.full(({listed(m.sizes(2))},), 0.5)",
            f"torch.eye({m.size()})",
            f"torch.zeros_like({m.tensor() or 'torch.ones(3, 4)'})",
            f"torch.tensor({numbers}, dtype=torch.float32)",
            f"torch.tensor({rows if len(rows[0]) == len(rows[1]) else numbers})",
        )
    )


@often(2)
def recurrent(m: Maker) -> str | None:
    kind = m.any("LSTM", "LSTM", "GRU", "RNN")
    options = [str(m.size()), str(m.any(4, 6, 8, m.size()))]
    if m.maybe(0.3):
        options.append(m.any("num_layers=2", "2", "3"))
    options += [f"{word}=True" for word in ("bidirectional", "batch_first") if m.maybe(0.35)]
    if kind == "LSTM" and m.maybe(0.15):
        options.append(f"proj_size={m.any(1, 2, 3)}")
    name = "rnn" if "rnn" not in m.names or m.maybe(0.5) else "rnn2"
    return f"{name} = nn.{kind}({listed(options)})"


def _widths(layer: Any, slips: bool, m: Maker) -> tuple[int, int, int]:
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    width = layer.proj_size or layer.hidden_size
    if slips:
        return m.any((m.size(), width, layer.hidden_size), (rows, m.size(), layer.hidden_size), (rows, width, m.size()))
    return rows, width, layer.hidden_size


@often(9)
def called(m: Maker) -> str | None:
    names = m.modules(nn_rnn)
    name = m.random.choice(names)
    layer = m.names[name]
    given = m.tensor(lambda x: floats(x) and x.dim() in (2, 3) and x.shape[-1] == layer.input_size)
    if given is None or m.slips:
        given = given or f"torch.randn({listed([*m.sizes(m.any(1, 2, 2, 2, 3)), layer.input_size])})"
    if given not in m.names and m.slips:
        given = f"torch.randn({listed(m.sizes(3))})"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = eval(given, m.names)
    state = ""
    if m.maybe(0.5):
        rows, width, hidden = _widths(layer, m.maybe(0.25), m)
        batch = [x.shape[0 if layer.batch_first else 1]] if x.dim() == 3 else []
        if m.slips:
            batch = m.any([], [m.size()], [2])
        h, c = listed([rows, *batch, width]), listed([rows, *batch, hidden])
        if layer.batch_first and batch and m.slips:
            h, c = listed([*batch, rows, width]), listed([*batch, rows, hidden])
        pair = isinstance(layer, torch.nn.LSTM) != m.slips
        state = f", (torch.zeros({h}), torch.zeros({c}))" if pair else f", torch.zeros({h})"
        if pair and m.maybe(0.3):
            state = f", {m.any('hx=', '')}(h0, c0)"
            m.lines.append(f"h0, c0 = torch.zeros({h}), torch.randn({c})")
            exec(m.lines[-1], m.names)
    y = m.target()
    pair = isinstance(layer, torch.nn.LSTM) != m.slips
    kept = m.any(f"{y}, _", f"{y}, s", f"{y}, (h, c)" if pair else f"{y}, h", f"{y}, hn")
    if m.maybe(0.1):
        return f"{y} = {name}({given}{state}){m.any('[0]', '[1]', '[0][-1]', '')}"
    return f"{kept} = {name}({given}{state})"


nn_rnn = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)


@often(3)
def cell(m: Maker) -> str | None:
    kind = m.any("LSTMCell", "GRUCell", "RNNCell")
    x = m.tensor(has(1, 2))
    if x is None or not m.names[x].dim():
        return None
    shape = list(m.names[x].shape)
    width, hidden = (m.size() if m.slips else shape[-1]), m.size()
    sizes = [*shape[:-1], hidden]
    if m.maybe(0.2):
        sizes = m.any([*shape[:-1], m.size()], [m.size(), hidden], [hidden], [1, *sizes])
    zeros = f"torch.zeros({listed(sizes)})"
    state = m.any("", f", ({zeros}, {zeros})" if (kind == "LSTMCell") != m.slips else f", {zeros}")
    name = f"cell{len(m.lines)}"
    m.lines.append(f"{name} = nn.{kind}({width}, {hidden})")
    exec(m.lines[-1], m.names)
    left = f"h{len(m.lines)}, c{len(m.lines)}" if kind == "LSTMCell" else m.target()
    return f"{left} = {name}({x}{state})"


@often(6)
def linear(m: Maker) -> str | None:
    x = m.tensor(floats)
    if x is None:
        return None
    width = m.names[x].shape[-1] if m.names[x].dim() and not m.slips else m.size()
    layer = f"nn.Linear({width}, {m.size()}{m.any('', '', ', bias=False')})"
    if m.maybe(0.3):
        return m.let(f"{layer}({x})")
    name = f"fc{len(m.lines)}"
    m.lines.append(f"{name} = {layer}")
    exec(m.lines[-1], m.names)
    return m.let(f"{name}({x})")


@often(3)
def again(m: Maker) -> str | None:
    layers = m.modules(torch.nn.Linear, torch.nn.LayerNorm, torch.nn.BatchNorm1d, torch.nn.Conv1d, torch.nn.Sequential)
    return m.let(f"{m.random.choice(layers)}({m.tensor(floats)})") if layers and m.tensor(floats) else None


@often(8)
def view(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    value = m.names[x]
    rest, sizes = value.numel(), []
    for _ in range(m.any(1, 2, 2, 3)):
        divisors = [d for d in range(1, 25) if rest and rest % d == 0] or [1]
        sizes.append(m.random.choice(divisors))
        rest //= sizes[-1]
    sizes.append(rest)
    if m.maybe(0.5):
        sizes[m.random.randrange(len(sizes))] = -1
    if m.slips:
        sizes[m.random.randrange(len(sizes))] = m.any(m.size(), -1, m.size())
    m.random.shuffle(sizes)
    how = m.any("view", "view", "reshape")
    return m.let(m.any(f"{x}.{how}({listed(sizes)})", f"{x}.{how}(({listed(sizes)},))"))


@often(3)
def flattened(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    value = m.names[x]
    a, b = m.dim(value.dim()), m.dim(value.dim())
    if value.dim() and not m.slips:
        a, b = sorted((a % value.dim(), b % value.dim()))
    if m.maybe(0.4) and value.dim():
        at = a % value.dim()
        size = value.shape[at]
        first = m.random.choice([d for d in range(1, size + 1) if size % d == 0] or [1])
        second = m.any(-1, size // first, m.size())
        return m.let(
            m.any(f"{x}.unflatten({at}, ({first}, {second}))", f"nn.Unflatten({at}, ({first}, {second}))({x})")
        )
    return m.let(m.any(f"{x}.flatten({a}, {b})", f"torch.flatten({x}, {a})", f"{x}.flatten()", f"nn.Flatten()({x})"))


@often(8)
def moved(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    rank = m.names[x].dim()
    order = list(range(rank))
    m.random.shuffle(order)
    if m.slips:
        order = m.any(order[:-1], [*order, rank], [0] * rank, [*order[:-1], rank + 1])
    if not order:
        return None
    a, b, c = m.dim(rank), m.dim(rank), m.dim(rank, 1)
    return m.let(
        m.any(
            f"{x}.permute({listed(order)})",
            f"{x}.permute({listed(order)})",
            f"torch.permute({x}, ({listed(order)},))",
            f"{x}.transpose({a}, {b})",
            f"torch.transpose({x}, {a}, {b})",
            f"{x}.transpose({a}, {b}).contiguous()",
            f"{x}.unsqueeze({c})",
            f"torch.unsqueeze({x}, {c})",
            f"{x}.squeeze({a})",
            f"{x}.squeeze()",
            f"{x}.swapaxes({a}, {b})",
            f"{x}.movedim({a}, {b})",
            f"{x}.T" if rank == 2 else f"{x}.mT" if rank > 1 else f"{x}.t()",
            f"{x}.t()" if rank < 3 or m.slips else f"{x}.flip({a})",
            f"{x}.clone()",
            f"torch.swapdims({x}, {a}, {b})",
        )
    )


@often(7)
def joined(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    value = m.names[x]
    like = [n for n, v in m.tensors().items() if v.dim() == value.dim() and (m.slips or v.shape[1:] == value.shape[1:])]
    y = m.random.choice(like) if like and not m.slips else m.tensor()
    sizes = list(value.shape)
    at = m.dim(value.dim())
    if sizes and -len(sizes) <= at < len(sizes):
        sizes[at] = m.size()
    if sizes and m.slips:
        sizes[m.random.randrange(len(sizes))] = m.size()
    other = m.any(y, f"torch.zeros({listed(sizes)})" if sizes else y, f"torch.zeros({listed(sizes)})" if sizes else y)
    same = m.any(x, y, f"torch.randn({listed(value.shape)})" if sizes else x)
    return m.let(
        m.any(
            f"torch.cat([{x}, {other}], {m.any('', 'dim=')}{at})",
            f"torch.cat(({x}, {other}, {x}), dim={at})",
            f"torch.cat(({x}, {other}), -1)",
            f"torch.cat(({x}, {y}))",
            f"torch.stack([{x}, {same}], {m.any('', 'dim=')}{m.dim(value.dim(), 1)})",
            f"torch.stack(({x}, {same}))",
            f"torch.cat([torch.zeros(0), {x}], dim={at})",
            f"torch.hstack(({x}, {other}))",
        )
    )


@often(9)
def indexed(m: Maker) -> str | None:
    x = m.tensor()
    if x is None:
        return None
    value = m.names[x]
    items: list[str] = []
    for size in value.shape[: m.random.randint(1, max(value.dim(), 1))]:
        number = m.random.randrange(-max(size, 1), max(size, 1)) if not m.slips else m.any(size, -size - 1, 3)
        low, high = sorted((m.random.randrange(0, size + 1), m.random.randrange(0, size + 2)))
        choices = [str(number), ":", f"{low}:{high}", f":{high}", f"{low}:", "-1:", ":-1", "::2", f"-{low}:"]
        items.append(m.any(*choices, str(number), ":", "-1", f"[{abs(number) % max(size, 1)}, 0]"))
    if m.maybe(0.2):
        items.insert(m.random.randint(0, len(items)), m.any("None", "..."))
    if not value.dim() or m.slips:
        items += ["0"]
    return m.let(f"{x}[{', '.join(items)}]")


@often(3)
def chosen(m: Maker) -> str | None:
    x = m.tensor(floats)
    index = m.tensor(lambda v: v.dtype == torch.int64 and v.dim() == 1)
    if x is None or index is None:
        return None
    value = m.names[x]
    at = m.dim(value.dim())
    same = list(value.shape)
    if same and m.maybe(0.7):
        same[m.random.randrange(len(same))] = m.size()
    zeros = f"torch.zeros({listed(same)}{', ' if same else '()' + ', '}dtype=torch.long)"
    return m.let(
        m.any(
            f"{x}.index_select({at}, {index})",
            f"torch.gather({x}, {at}, {zeros})",
            f"{x}.gather({at}, {index})",
            f"{x}[{index}]",
            f"{x}.select({at}, {m.any(0, -1, m.size())})",
            f"{x}.narrow({at}, 0, {m.size()})",
            f"{x}[:, {index}]",
            f"{x}.topk({m.any(1, 2, m.size())}, dim={at})[0]",
        )
    )
