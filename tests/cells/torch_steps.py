"""The shelf's cells once more, written with torch from the papers: what the tests compare with.

A step is `step(p, x, states, extra) -> states`: p maps names without suffix to tensors, x is (B, I), states (B, H)
each, extra the step inputs by name."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def products(p, x, h, gates):  # type: ignore[no-untyped-def]
    """The input and the recurrent product of each gate."""
    inputs = F.linear(x, p["weight_ih"], p.get("bias_ih")).chunk(gates, 1)
    if "weight_hh" not in p:
        return inputs, None
    return inputs, F.linear(h, p["weight_hh"], p.get("bias_hh")).chunk(gates, 1)


def sums(p, x, h, gates):  # type: ignore[no-untyped-def]
    return [a + b for a, b in zip(*products(p, x, h, gates), strict=True)]


def rows(p, v, gate, gates):  # type: ignore[no-untyped-def]
    """The recurrent product of v with one gate's rows."""
    return F.linear(v, p["weight_hh"].chunk(gates)[gate], p["bias_hh"].chunk(gates)[gate])


def peephole_lstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    h, c = states
    i, f, g, o = sums(p, x, h, 4)
    i, f = torch.sigmoid(i + p["p_i"] * c), torch.sigmoid(f + p["p_f"] * c)
    c = f * c + i * torch.tanh(g)
    return torch.sigmoid(o + p["p_o"] * c) * torch.tanh(c), c


def coupled_lstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    h, c = states
    i, g, o = sums(p, x, h, 3)
    i = torch.sigmoid(i)
    c = c - i * c + i * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def joint(p, part, word, letters):  # type: ignore[no-untyped-def]
    return torch.cat([p[f"{word}_{part}{letter}"] for letter in letters])


def layer_norm_lstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    h, c = states
    H = h.shape[1]
    total = 0
    for part, product in zip("xu", products(p, x, h, 4), strict=True):
        flat = torch.cat(product, 1)
        total = total + F.layer_norm(flat, (4 * H,), joint(p, part, "gain", "ifgo"), joint(p, part, "shift", "ifgo"))
    i, f, g, o = total.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(F.layer_norm(c, (H,), p["gain_c"], p["shift_c"])), c


def layer_norm_gru(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    H = h.shape[1]
    (x_z, x_r, x_n), (u_z, u_r, u_n) = products(p, x, h, 3)
    both = 0
    for part, pair in (("x", (x_z, x_r)), ("u", (u_z, u_r))):
        gain, shift = joint(p, part, "gain", "zr"), joint(p, part, "shift", "zr")
        both = both + F.layer_norm(torch.cat(pair, 1), (2 * H,), gain, shift)
    z, r = torch.sigmoid(both).chunk(2, 1)
    n = F.layer_norm(x_n, (H,), p["gain_xn"], p["shift_xn"])
    n = torch.tanh(n + r * F.layer_norm(u_n, (H,), p["gain_un"], p["shift_un"]))
    return ((1 - z) * h + z * n,)


def slstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    h, c, n, m = states
    N, _, width = p["weight_hh"].shape
    inputs = F.linear(x, p["weight_ih"], p["bias_ih"] + p["bias_hh"]).chunk(4, 1)
    heads = torch.einsum("nij,bnj->bni", p["weight_hh"], h.reshape(len(h), N, width))
    recurrent = heads.reshape(len(h), N, 4, width).permute(2, 0, 1, 3).reshape(4, len(h), N * width)
    i, f, z, o = (a + b for a, b in zip(inputs, recurrent, strict=True))
    log_f = F.logsigmoid(f) + m
    peak = torch.where(n == 0, i, torch.maximum(log_f, i))
    i, f = torch.exp(i - peak), torch.exp(log_f - peak)
    c, n = f * c + i * torch.tanh(z), f * n + i
    return torch.sigmoid(o) * c / n, c, n, peak


def mgu(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    (x_f, x_n), (u_f, u_n) = products(p, x, h, 2)
    f = torch.sigmoid(x_f + u_f)
    return ((1 - f) * h + f * torch.tanh(x_n + f * u_n),)


def janet(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    s, c = sums(p, x, h, 2)
    return (torch.sigmoid(s) * h + (1 - torch.sigmoid(s - 1)) * torch.tanh(c),)


def indrnn(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    return (torch.relu(F.linear(x, p["weight_ih"], p["bias_ih"]) + p["weight_hh"] * h + p["bias_hh"]),)


def mingru(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,), ((z, n), _) = states, products(p, x, None, 2)
    return (torch.lerp(h, n, torch.sigmoid(z)),)


def minlstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,), ((f, i, n), _) = states, products(p, x, None, 3)
    f, i = torch.sigmoid(f), torch.sigmoid(i)
    return (f / (f + i) * h + i / (f + i) * n,)


def ealstm(p, x, states, extra):  # type: ignore[no-untyped-def]
    h, c = states
    f, g, o = sums(p, x, h, 3)
    c = torch.sigmoid(f) * c + torch.sigmoid(extra["i"]) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def grud(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    k = torch.exp(-torch.clamp(extra["d"], min=0)) * h
    x_r, x_z, x_n = products(p, x, h, 3)[0]
    r = torch.sigmoid(x_r + rows(p, k, 0, 3))
    z = torch.sigmoid(x_z + rows(p, k, 1, 3))
    return ((1 - z) * k + z * torch.tanh(x_n + rows(p, r * k, 2, 3)),)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, over):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(over)
        return (over > 0).to(over)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad / (1 + 10 * ctx.saved_tensors[0].abs()) ** 2


def lif(p, x, states, extra):  # type: ignore[no-untyped-def]
    s, v, a = states
    (drive,) = sums(p, x, s, 1)
    a = 0.8 * a + drive
    v = 0.9 * v * (1 - s) + a
    return Spike.apply(v - 1), v, a


def reset_before_gru(p, x, states, extra):  # type: ignore[no-untyped-def]
    (h,) = states
    x_r, x_z, x_n = products(p, x, h, 3)[0]
    r, z = torch.sigmoid(x_r + rows(p, h, 0, 3)), torch.sigmoid(x_z + rows(p, h, 1, 3))
    return (z * h + (1 - z) * torch.tanh(x_n + rows(p, r * h, 2, 3)),)


STEPS = {
    "CoupledLSTM": coupled_lstm, "EALSTM": ealstm, "GRUD": grud, "IndRNN": indrnn, "JANET": janet, "LIF": lif,
    "LayerNormGRU": layer_norm_gru, "LayerNormLSTM": layer_norm_lstm, "MGU": mgu, "PeepholeLSTM": peephole_lstm,
    "ResetBeforeGRU": reset_before_gru, "minGRU": mingru, "minLSTM": minlstm, "sLSTM": slstm,
}  # fmt: skip


def run(step, parameters, x, states, extras, *, layers, directions):  # type: ignore[no-untyped-def]
    """(output, final states, states of the last layer after every step) of a stack, a Python loop over (T, B, I)."""
    T = len(x)
    final: list[list[torch.Tensor]] = [[] for _ in states]
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            suffix = f"_l{layer}" + "_reverse" * direction
            p = {name.removesuffix(suffix): v for name, v in parameters.items() if name.endswith(suffix)}
            now = tuple(state[layer * directions + direction] for state in states)
            after = [None] * T
            for t in reversed(range(T)) if direction else range(T):
                extra = {name: value[t] if value.ndim == 3 else value for name, value in extras.items()}
                now = after[t] = step(p, x[t], now, extra)
            sides.append([torch.stack(values) for values in zip(*after, strict=True)])
            for one, value in zip(final, now, strict=True):
                one.append(value)
        everything = [torch.cat(parts, 2) for parts in zip(*sides, strict=True)]
        x = everything[0]
    return x, [torch.stack(one) for one in final], everything
