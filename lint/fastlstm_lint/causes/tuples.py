"""What torch says where the pair that a layer returns, or a packed sequence, is taken for a tensor."""

from __future__ import annotations

from .cause import cause

TUPLES = (
    cause(
        r"'tuple' object has no attribute 'dim'",
        "FL106 FL508",
        (
            "A GRU or RNN was given a pair as its state; theirs is one tensor, only an LSTM's is a pair. Or the pair "
            "that a layer returns was used as its output.",
            "gru(x, h_0), not gru(x, (h_0, c_0)); output, state = layer(x).",
        ),
        (
            "给 GRU 或 RNN 传了一对状态；它们的状态是一个张量，只有 LSTM 的是一对。或者把层返回的一对当成了输出。",
            "gru(x, h_0)，不是 gru(x, (h_0, c_0))；output, state = layer(x)。",
        ),
    ),
    cause(
        r"'tuple' object has no attribute '(?:detach_?|data|requires_grad_?)'",
        "FL106 FL508",
        (
            "An LSTM's state is a pair (h, c), taken for one tensor as a GRU's is.",
            "h, c = state; state = (h.detach(), c.detach()). A GRU's: h = h.detach().",
        ),
        (
            "LSTM 的状态是一对 (h, c)，这里当成了一个张量（GRU 的才是一个）。",
            "h, c = state；state = (h.detach(), c.detach())。GRU：h = h.detach()。",
        ),
    ),
    cause(
        r"'tuple' object has no attribute 'batch_sizes'",
        "FL402 FL508",
        (
            "pad_packed_sequence was given the pair that a layer returns; the packed output is its first part.",
            "packed_out, state = layer(packed); output, lengths = pad_packed_sequence(packed_out).",
        ),
        (
            "把层返回的一对传给了 pad_packed_sequence；打包的输出是其中第一个。",
            "packed_out, state = layer(packed)；output, lengths = pad_packed_sequence(packed_out)。",
        ),
    ),
    cause(
        r"tuple indices must be integers or slices, not",
        "FL508 FL402",
        (
            "A tuple was indexed as a tensor: the pair (output, state) that a layer returns, or a PackedSequence, "
            "which is "
            "a tuple of its data and its batch sizes.",
            "output, state = layer(x), then output[:, -1]; of a packed output first "
            "output, lengths = pad_packed_sequence(packed, batch_first=...).",
        ),
        (
            "把元组当张量来索引：可能是层返回的 (output, state)，也可能是 PackedSequence（它是数据和 batch_sizes "
            "组成的元组）。",
            "output, state = layer(x)，再写 output[:, -1]；输出是打包的，就先 "
            "output, lengths = pad_packed_sequence(packed, batch_first=...)。",
        ),
    ),
    cause(
        r"expected Tensor as element \d+ in argument 0, but got tuple|"
        r"unsupported operand type\(s\) for [^:]+: (?:'Tensor' and 'tuple'|'tuple' and 'Tensor')|"
        r"can only concatenate tuple \(not \"Tensor\"\) to tuple",
        "FL711 FL508",
        (
            "A pair stands where a tensor is wanted: what a layer returns, or the state (h_n, c_n) of an LSTM.",
            "output, (h_n, c_n) = lstm(x), and the one that is meant: torch.cat([h_n, c_n], -1).",
        ),
        (
            "该用张量的地方是一对：可能是层的返回值，也可能是 LSTM 的状态 (h_n, c_n)。",
            "output, (h_n, c_n) = lstm(x)，然后用需要的那个，例如 torch.cat([h_n, c_n], -1)。",
        ),
    ),
    cause(
        r"argument 'tensors' \(position 1\) must be tuple of Tensors, not Tensor",
        "FL711",
        (
            "cat and stack join the tensors of a list; a single tensor was given.",
            "torch.cat([a, b], dim). To put the directions of h_n beside each other: torch.cat([h_n[-2], h_n[-1]], 1).",
        ),
        (
            "cat 和 stack 拼接的是列表里的张量；这里只给了一个张量。",
            "torch.cat([a, b], dim)。把 h_n 的两个方向并排：torch.cat([h_n[-2], h_n[-1]], 1)。",
        ),
    ),
    cause(
        r"'Tensor' object has no attribute 'batch_sizes'",
        "FL402",
        (
            "pad_packed_sequence was given a tensor: the layer's input was not packed, so its output is padded "
            "already.",
            "Leave pad_packed_sequence out, or pack the input with pack_padded_sequence first.",
        ),
        (
            "给 pad_packed_sequence 传了张量：层的输入没有打包，输出本来就是填充好的。",
            "去掉 pad_packed_sequence，或者先用 pack_padded_sequence 打包输入。",
        ),
    ),
    cause(
        r"'?PackedSequence'? object|must be Tensor, not PackedSequence",
        "FL402",
        (
            "A PackedSequence was used as a tensor: it has neither a layout nor a size.",
            "output, lengths = pad_packed_sequence(packed, batch_first=...) first.",
        ),
        (
            "把 PackedSequence 当张量用：它没有布局，也没有 size。",
            "先 output, lengths = pad_packed_sequence(packed, batch_first=...)。",
        ),
    ),
    cause(
        r"'tuple' object has no attribute|must be Tensor, not tuple|linear\(\).{0,80}argument 'input'.{0,80}not tuple",
        "FL508 FL507",
        (
            "A recurrent layer returns (output, state); the pair was used as if it were the output.",
            "Write output, state = layer(x). Inside nn.Sequential a recurrent layer needs a module that takes output "
            "[0].",
        ),
        (
            "循环层返回 (output, state)；这里把这一对当成了 output。",
            "写 output, state = layer(x)。在 nn.Sequential 里，循环层后面要有一个取 [0] 的模块。",
        ),
    ),
    cause(
        r"not enough values to unpack|too many values to unpack",
        "FL506 FL706 FL106",
        (
            "The value has another number of parts. An LSTM's state is a pair (h, c), that of a GRU or RNN is one "
            "tensor, "
            "which is unpacked along its first axis; so is every other tensor.",
            "output, (h_n, c_n) = lstm(x, (h_0, c_0)); output, h_n = gru(x, h_0). A tensor: a, b = t.chunk(2, dim=-1).",
        ),
        (
            "拆开的个数不对。LSTM 的状态是一对 (h, c)，GRU 或 RNN 的是一个张量，拆它就是沿第 0 轴拆；别的张量也一样。",
            "output, (h_n, c_n) = lstm(x, (h_0, c_0))；output, h_n = gru(x, h_0)。张量：a, b = t.chunk(2, dim=-1)。",
        ),
    ),
    cause(
        r"'lengths' argument should be a 1D CPU int64 tensor|lengths.{0,80}should be.{0,80}CPU",
        "FL404",
        (
            "pack_padded_sequence wants its lengths on the CPU, as int64, one for each sample.",
            "pack_padded_sequence(x, lengths.cpu(), ...).",
        ),
        (
            "pack_padded_sequence 的 lengths 要在 CPU 上，类型 int64，每个样本一个。",
            "pack_padded_sequence(x, lengths.cpu(), ...)。",
        ),
    ),
    cause(
        r"lengths.{0,80}sorted in decreasing order",
        "FL405 FL709",
        (
            "pack_padded_sequence was told that the batch is sorted by length, which it is not.",
            "Pass enforce_sorted=False.",
        ),
        (
            "pack_padded_sequence 默认批已按长度从大到小排好，而这里没有。",
            "传 enforce_sorted=False。",
        ),
    ),
    cause(
        r"Expected `?len\(lengths\)`? to be equal to batch_size, but got (?P<n>\d+) \(batch_size=(?P<b>\d+)\)",
        "FL401",
        (
            "There are {n} lengths, and packing read a batch of {b}: batch_first of the packing is not that of the "
            "data.",
            "Pass batch_first=True to pack_padded_sequence if the data is (B, T, I).",
        ),
        (
            "长度有 {n} 个，而打包时读到的批大小是 {b}：打包的 batch_first 与数据的布局不一致。",
            "数据是 (B, T, I) 时，给 pack_padded_sequence 传 batch_first=True。",
        ),
    ),
    cause(
        r"Length of all samples has to be greater than 0",
        "FL709",
        (
            "A sequence of length 0 cannot be packed.",
            "Leave empty sequences out of the batch, or lengths.clamp(min=1) where the first step is padding.",
        ),
        (
            "长度为 0 的序列不能打包。",
            "从批里去掉空序列，或者在第一步是填充时用 lengths.clamp(min=1)。",
        ),
    ),
    cause(
        r"Expected total_length to be at least the length of the longest sequence",
        "FL709",
        (
            "total_length pads further than the longest sequence; it does not cut.",
            "total_length=x.size(1) of the input before packing (x.size(0) without batch_first).",
        ),
        (
            "total_length 只会填充得更长，不会截断。",
            "total_length=打包前输入的 x.size(1)（没有 batch_first 时是 x.size(0)）。",
        ),
    ),
)
