"""What torch's error messages mean for recurrent code, and the rules that find the cause before it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What an error message of torch means. `{names}` in cause and change are the pattern's groups."""

    pattern: re.Pattern[str]
    rules: tuple[str, ...]
    cause: str
    change: str


def _cause(pattern: str, rules: str, cause: str, change: str) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE), tuple(rules.split()), cause, change)


SIZES = r"[\[(]([\d, ]+)[\])]"

HIDDEN = r"Expected hidden(?:\[\d\])? size \((?P<l>\d+), (?P<b>\d+), (?P<h>\d+)\)"

CAUSES = (
    _cause(
        HIDDEN + r", got [\[(](?P=b), (?P=l), (?P=h)[\])]",
        "FL101",
        "The initial state is batch-first. States are (layers*directions, batch, hidden), whatever batch_first says.",
        "Make it ({l}, {b}, {h}): torch.zeros({l}, {b}, {h}), or state.transpose(0, 1).contiguous().",
    ),
    _cause(
        HIDDEN + r", got [\[(](?P<g>\d+), (?P=b), (?P=h)[\])]",
        "FL102",
        "The first size of the state is num_layers * directions: {l} here, and the state given has {g}.",
        "Make it ({l}, {b}, {h}); a bidirectional layer has two rows per layer.",
    ),
    _cause(
        HIDDEN + r", got [\[(](?P=l), (?P<g>\d+), (?P=h)[\])]",
        "FL104 FL105",
        "The state is made for a batch of {g}, the input has {b}: its batch size is taken from the time axis (is "
        "batch_first what the input is?), or it is fixed and this is the last, smaller batch.",
        "Take it from the input where it comes in: x.size(0) with batch_first=True, x.size(1) without.",
    ),
    _cause(
        rf"Expected hidden(?:\[\d\])? size \((?P<want>[\d, ]+)\), got {SIZES}",
        "FL101 FL102 FL104",
        "The initial state has other sizes than (layers*directions, batch, hidden) = ({want}).",
        "Make it ({want}).",
    ),
    _cause(
        r"For (?:un)?batched (?:2|3)-D input, hx(?: and cx)? should also be",
        "FL103",
        "State and input must both have a batch axis or both have none: (T, B, I) goes with (L*D, B, H), "
        "(T, I) with (L*D, H).",
        "Give the state the axis that it lacks, or leave the state out: zeros are the default.",
    ),
    _cause(
        r"input\.size\(-1\) must be equal to input_size\. Expected (?P<want>\d+), got (?P<got>\d+)",
        "FL302 FL203",
        "The last axis of the input has {got} features, the layer was made for input_size={want}. After a "
        "bidirectional layer it is 2*hidden_size; after a transpose it may not be the feature axis at all.",
        "Make the layer with input_size={got}, or bring the feature axis to the end.",
    ),
    _cause(
        r"(?:LSTM|GRU|RNN): Expected input to be 2D or 3D, got (?P<got>\d+)D",
        "FL302",
        "A recurrent layer takes (T, B, I), (B, T, I) with batch_first=True, or (T, I); this input has {got} axes.",
        "Merge or drop an axis: an Embedding makes token ids (B, T, I); reshape images, the batch kept.",
    ),
    _cause(
        r"mat1 and mat2 shapes cannot be multiplied \((?P<a>\d+)x(?P<b>\d+) and (?P<c>\d+)x(?P<d>\d+)\)",
        "FL301 FL205",
        "A Linear made for {c} features was given {b}. The output of a recurrent layer has D*H features "
        "(proj_size instead of H where it is set); a flattened state has L*D*H.",
        "Make it nn.Linear({b}, {d}), or pass it the {c} features that were meant.",
    ),
    _cause(
        r"'tuple' object has no attribute 'dim'",
        "FL106 FL508",
        "A GRU or RNN was given a pair as its state; theirs is one tensor, only an LSTM's is a pair. Or the pair that "
        "a layer returns was used as its output.",
        "gru(x, h_0), not gru(x, (h_0, c_0)); output, state = layer(x).",
    ),
    _cause(
        r"input has inconsistent input_size: got (?P<got>\d+),? expected (?P<want>\d+)",
        "FL302",
        "A cell made for input_size={want} was given {got} features.",
        "Make the cell with input_size={got}, or bring the feature axis to the end.",
    ),
    _cause(
        r"(?P<cell>\w+Cell): Expected input to be 1D or 2D, got (?P<got>\d+)D",
        "FL302",
        "A cell computes one step: it takes (B, I) or (I,), and this input has {got} axes.",
        "Loop over the time axis, cell(x[t], state), or use the layer instead of {cell}.",
    ),
    _cause(
        r"Input batch size (?P<b>\d+) doesn't match hidden0 batch size (?P<g>\d+)",
        "FL104 FL105",
        "The cell's state is made for a batch of {g}, and the input has {b}: its batch size is taken from another "
        "axis, or fixed, and this is the last, smaller batch.",
        "Take it from the input where it comes in: x.size(0).",
    ),
    _cause(
        r"expected input\[(?P<shape>[\d, ]+)\] to have (?P<want>\d+) channels, but got (?P<got>\d+)",
        "FL210",
        "Conv1d wants its channels on axis 1: (B, C, T). The input ({shape}) has {got} there; features of a recurrent "
        "layer come last.",
        "conv(x.transpose(1, 2)).transpose(1, 2) for a batch-first x of {want} features.",
    ),
    _cause(
        r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
        "FL210",
        "BatchNorm1d wants its channels on axis 1: (B, C, T). The input has {got} there; features of a recurrent layer "
        "come last.",
        "norm(x.transpose(1, 2)).transpose(1, 2) for a batch-first x of {want} features; or LayerNorm, which takes the "
        "last axis.",
    ),
    _cause(
        r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)",
        "FL201 FL202 FL604",
        "The logits have {a} rows, the target has {b}. One row per step where one per sample was meant, or the axes "
        "of output are exchanged.",
        "For one label per sample take the last step, output[:, -1] with batch_first=True and output[-1] without; for "
        "one per step flatten both, logits.reshape(-1, C) and target.reshape(-1).",
    ),
    _cause(
        r"Sizes of tensors must match except in dimension (?P<d>\d+)\. Expected size (?P<a>\d+) but got size "
        r"(?P<b>\d+)",
        "FL203",
        "Tensors joined along axis {d} differ on another one: {a} and {b}. One of them may be (T, B, ...) and the "
        "other (B, T, ...).",
        "Give both the same order: batch_first for both layers, or x.transpose(0, 1) for one.",
    ),
    _cause(
        r"argument #1 'indices' to have one of the following scalar types: Long, Int; but got (?:torch\.)?(?P<got>\w+)",
        "",
        "An Embedding takes token ids, whole numbers; this is a {got}.",
        "Make the ids with dtype=torch.long, or x.long() if they are whole numbers already.",
    ),
    _cause(
        r"^(?:.* )?IndexError: index out of range in self|^index out of range in self",
        "",
        "A token id is not below num_embeddings of the Embedding (or is negative).",
        "nn.Embedding(largest id + 1, ...), padding and unknown tokens counted.",
    ),
    _cause(
        r"Input and (?:hidden|parameter) tensors are not at the same device|"
        r"Expected all tensors to be on the same device",
        "",
        "Some tensor stayed on another device: with recurrent layers mostly an initial state made without device=.",
        "torch.zeros(..., device=x.device), or leave the state out: zeros are the default.",
    ),
    _cause(
        r"(?:hidden_size should be of type int, got: (?P<got>\w+)|proj_size argument is only supported for LSTM"
        r"|proj_size has to be smaller than hidden_size)",
        "FL307",
        "The constructor was given what it cannot take: sizes are whole numbers (use // to divide), proj_size is an "
        "LSTM's alone, and smaller than hidden_size.",
        "nn.LSTM(input_size, hidden_size, proj_size=smaller than hidden_size).",
    ),
    _cause(
        r"bias should be of type bool, got: (?P<got>\w+)",
        "FL309",
        "The fourth positional argument of a layer is bias (the third of a cell); a {got} landed there.",
        "Pass it by its name: dropout=, bidirectional=, batch_first=.",
    ),
    _cause(
        r"'Tensor' object has no attribute 'batch_sizes'",
        "FL402",
        "pad_packed_sequence was given a tensor: the layer's input was not packed, so its output is padded already.",
        "Leave pad_packed_sequence out, or pack the input with pack_padded_sequence first.",
    ),
    _cause(
        r"'tuple' object has no attribute|must be Tensor, not tuple|linear\(\).*argument 'input'.*not tuple",
        "FL508 FL507",
        "A recurrent layer returns (output, state); the pair was used as if it were the output.",
        "Write output, state = layer(x). Inside nn.Sequential a recurrent layer needs a module that takes output [0].",
    ),
    _cause(
        r"not enough values to unpack|too many values to unpack",
        "FL506 FL106",
        "An LSTM's state is a pair (h, c), that of a GRU or RNN is one tensor; the call was unpacked or fed otherwise.",
        "output, (h_n, c_n) = lstm(x, (h_0, c_0)); output, h_n = gru(x, h_0).",
    ),
    _cause(
        r"'lengths' argument should be a 1D CPU int64 tensor|lengths.*should be.*CPU",
        "FL404",
        "pack_padded_sequence wants its lengths on the CPU, as int64.",
        "pack_padded_sequence(x, lengths.cpu(), ...).",
    ),
    _cause(
        r"lengths.*sorted in decreasing order",
        "FL405",
        "pack_padded_sequence was told that the batch is sorted by length, which it is not.",
        "Pass enforce_sorted=False.",
    ),
    _cause(
        r"Expected `?len\(lengths\)`? to be equal to batch_size, but got (?P<n>\d+) \(batch_size=(?P<b>\d+)\)",
        "FL401",
        "There are {n} lengths, and packing read a batch of {b}: batch_first of the packing is not that of the data.",
        "Pass batch_first=True to pack_padded_sequence if the data is (B, T, I).",
    ),
    _cause(
        r"'?PackedSequence'? object|must be Tensor, not PackedSequence",
        "FL402",
        "A PackedSequence was used as a tensor: it has neither a layout nor a size.",
        "output, lengths = pad_packed_sequence(packed, batch_first=...) first.",
    ),
    _cause(
        r"dropout option adds dropout after all but last recurrent layer",
        "FL310",
        "dropout= acts between stacked layers, and there is one.",
        "Remove it, or put an nn.Dropout behind the layer.",
    ),
    _cause(
        r"view size is not compatible with input tensor's size and stride",
        "FL204 FL205",
        "The tensor was transposed, and view cannot regroup its memory. "
        "If view was meant to exchange axes, it never does.",
        "reshape(...) copies where it must; permute or transpose exchanges axes.",
    ),
    _cause(
        r"Trying to backward through the graph a second time",
        "FL502",
        "A state carried from one batch to the next still holds the graph of the earlier one.",
        "state = state.detach() (for an LSTM both of the pair) before the next batch.",
    ),
    _cause(
        r"Expected target size \[(?P<want>[\d, ]+)\], got \[(?P<got>[\d, ]+)\]",
        "FL604",
        "CrossEntropyLoss wants the classes on axis 1: (B, C, T) for targets (B, T). The logits were (B, T, C).",
        "loss(logits.transpose(1, 2), target), or flatten both: logits.reshape(-1, C), target.reshape(-1).",
    ),
    _cause(
        r"argument 'hx' \(position 2\) must be tuple of Tensors, not Tensor|"
        r"index 1 is out of bounds for dimension 0 with size 1",
        "FL106",
        "An LSTM's state is a pair (h, c); one tensor was given, and the layer takes it apart along its first axis.",
        "lstm(x, (h_0, c_0)), both of (layers*directions, batch, hidden); for a cell both of (batch, hidden).",
    ),
    _cause(
        r"(?P<cell>\w+Cell): Expected (?:hx\[\d\]|hidden) to be 1D or 2D, got (?P<got>\d+)D",
        "FL103",
        "A cell's state is (batch, hidden), or (hidden,) for a single sample; this one has {got} axes.",
        "state.squeeze(0) where the first axis counts layers; a cell has none.",
    ),
    _cause(
        r"hidden\d has inconsistent hidden_size: got (?P<got>\d+),? expected (?P<want>\d+)",
        "FL707",
        "The cell was made for hidden_size={want} and given a state of {got}; or its input has no batch axis and the "
        "state has one.",
        "torch.zeros(batch, {want}) with an input of (batch, features).",
    ),
    _cause(
        r"RNN input dtype \(torch\.(?P<got>\w+)\) does not match weight dtype \(torch\.(?P<want>\w+)\)",
        "FL710",
        "The layer's weights are {want}, the input is {got}. Token ids go through an Embedding or one_hot first.",
        "x.to(layer.weight_ih_l0.dtype), or layer.double() for a float64 input.",
    ),
    _cause(
        r"(?:m1 and m2|mat1 and mat2) (?:to|must) have the same dtype, but got:? (?P<a>\w+)(?: int)?(?: !=|,? and) "
        r"(?P<b>\w+)|mean\(\): could not infer output dtype|not implemented for '(?:Long|Int|Bool)'|"
        r"expected scalar type \w+ but found \w+|expected target dtype to be Long",
        "FL710",
        "A product of matrices promotes nothing, and layers, mean, softmax and losses take floating numbers; class "
        "targets are int64.",
        "x.float() for numbers that are whole, target.long() for classes.",
    ),
    _cause(
        r"Dimension out of range \(expected to be in range of \[-(?P<n>\d+), \d+\], but got (?P<got>-?\d+)\)",
        "FL705 FL103",
        "The tensor has {n} axes and axis {got} was asked for: an output of an unbatched call has two, h_n[-1] has one "
        "less than h_n, squeeze may have taken one away.",
        "Print its shape there; count from the end (dim=-1) where the features are meant.",
    ),
    _cause(
        r"too many indices for tensor of dimension (?P<n>\d+)|index -?\d+ is out of bounds for dimension \d+",
        "FL705",
        "An index for each of too many axes, or one that is not below the size of its axis.",
        "h_n has layers*directions entries on axis 0; for time and batch see where batch_first puts them.",
    ),
    _cause(
        r"permute\(.*number of dimensions in the tensor input does not match",
        "FL705",
        "permute names every axis once, and was given another number of them.",
        "transpose(a, b) exchanges two axes whatever the others are.",
    ),
    _cause(
        r"The size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton "
        r"dimension (?P<d>\d+)|doesn't match the broadcast shape|The expanded size of the tensor",
        "FL702",
        "Broadcasting aligns axes from the last; two sizes are the same or one of them is 1. A (batch, hidden) beside "
        "(batch, time, hidden) meets time.",
        "unsqueeze the axis that is missing: h.unsqueeze(1) beside a batch-first output.",
    ),
    _cause(
        r"shape '\[(?P<want>[-\d, ]+)\]' is invalid for input of size (?P<n>\d+)|don't multiply up to the size of dim",
        "FL704",
        "A view keeps the number of entries, and the sizes asked for have another product: a last batch that is "
        "smaller, D or L left out, or H where proj_size is set.",
        "Let torch work one size out (-1), and take the batch from the tensor: x.size(0).",
    ),
    _cause(
        r"Expected size for first two dimensions of batch2 tensor to be: \[(?P<want>[\d, ]+)\] but got: "
        r"\[(?P<got>[\d, ]+)\]",
        "FL701",
        "bmm multiplies (B, n, m) by (B, m, p); the second one begins with ({got}) where ({want}) was due.",
        "Give both the batch first, and transpose(1, 2) the second where its features come last.",
    ),
    _cause(
        r"einsum\(\): ",
        "FL701",
        "A letter of the equation stands for two sizes, or an operand has another number of axes than letters.",
        "Write one letter per axis, in the order of the tensor: b, t for batch-first, t, b without.",
    ),
    _cause(
        r"stack expects each tensor to be equal size|Tensors must have same number of dimensions|"
        r"zero-dimensional tensor \(at position \d+\) cannot be concatenated",
        "FL703",
        "cat wants tensors of as many axes, stack tensors of the same sizes.",
        "unsqueeze what lacks an axis; pad_sequence for sequences of different lengths.",
    ),
    _cause(
        r"Given normalized_shape=\[(?P<want>[\d, ]+)\], expected input with shape",
        "FL707",
        "A LayerNorm takes its sizes on the last axes; it was made for ({want}). A bidirectional output has 2*hidden "
        "features.",
        "nn.LayerNorm of the number of features that it gets.",
    ),
    _cause(
        r"split_with_sizes expects split_sizes to sum exactly",
        "FL706",
        "The sizes given to split do not sum to the size of the axis.",
        "chunk(n, dim) for equal parts; a bidirectional output has 2*hidden features.",
    ),
    _cause(
        r"multi-target not supported|Target size \(.*\) must be the same as input size",
        "FL708",
        "Class targets are (batch,) numbers beside (batch, classes); losses of pairs of numbers want the same sizes.",
        "target.squeeze(1) or target.argmax(1) for classes; logits.squeeze(-1) for one number per sample.",
    ),
)
"""From the particular to the general: the first that fits is told."""
