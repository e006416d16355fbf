"""A rule in words, and the rules that a pasted torch error message points to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE = re.compile(r"FL\d{3}", re.IGNORECASE)


def explain(text: str) -> str | None:
    """The page of the rule that `text` names, or what the torch error in it means; None for anything else."""
    if CODE.fullmatch(text.strip()):
        return explain_code(text.strip().upper())
    return explain_error(text)


def explain_code(code: str) -> str | None:
    """The page of a rule, as text; None for an unknown code."""
    from .config import OWN_CODES
    from .pages import rule_page
    from .rules import by_code

    if code in OWN_CODES:
        name, summary = OWN_CODES[code]
        return f"{code} {name}\n\n{summary[0].upper()}{summary[1:]}."
    rule = by_code().get(code)
    return None if rule is None else rule_page(rule).rstrip("\n")


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
)
"""From the particular to the general: the first that fits is told."""


def explain_error(text: str) -> str | None:
    """What a torch error message means for recurrent code; None when it is not one that is known."""
    # A message pasted from a terminal is broken at any blank.
    joined = " ".join(text.split())
    for cause in CAUSES:
        match = cause.pattern.search(joined)
        if match is not None:
            return "\n".join(_told(cause, match.groupdict()))
    return None


def _told(cause: Cause, groups: dict[str, str]) -> Iterator[str]:
    from .rules import by_code

    rules = by_code()
    yield f"Cause:   {_filled(cause.cause, groups)}"
    yield f"Change:  {_filled(cause.change, groups)}"
    yield from (f"Rule:    {code} {rules[code].name}: {rules[code].summary}" for code in cause.rules if code in rules)


def _filled(text: str, groups: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: groups[match[1]], text)
