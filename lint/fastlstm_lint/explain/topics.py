"""What learners ask by name: `h_n`, `output`, `batch_first`, "what is in h_n", in English and Chinese.

The texts say what an axis or option means; the shapes beside them are put there by `told.py`, from the contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .words import Lang


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing to ask about: how it is asked for, what to say of it, and the values whose shapes are shown."""

    name: str
    asked: re.Pattern[str]
    about: dict[Lang, str]
    values: tuple[str, ...] = ()


def _topic(name: str, asked: str, en: str, zh: str, values: str = "") -> Topic:
    return Topic(name, re.compile(asked, re.IGNORECASE), {"en": en, "zh": zh}, tuple(values.split()))


def _word(*words: str) -> str:
    """A pattern that finds these words whole; letters of other scripts beside them count as blanks."""
    return r"(?<![A-Za-z0-9_])(?:" + "|".join(words) + r")(?![A-Za-z0-9_])"


TOPICS = (
    _topic(
        "last step",
        r"(?:out|output|h_?n)\s*\[|\.view\(|last (?:time ?)?step|last output|last hidden|"
        r"最后一个?(?:时间)?步|最后一个?(?:时刻|输出|隐)|sequence (?:summary|representation)",
        """\
The last step of every sequence, for one label or number per sample:

  h_n[-1]         one direction: the top layer at the last step, whatever batch_first says
  output[-1]      the same, without batch_first; with batch_first=True it is the last sample, at all steps
  output[:, -1]   the same, with batch_first=True; without, it is the last sample
  torch.cat([h_n[-2], h_n[-1]], dim=-1)    two directions: each after its last step
  h_n[-1]         of a packed batch too: each sample at its own last step; output[:, -1] is padding there

h_n.view(B, -1) and h_n.reshape(B, -1) do not put a sample's layers beside each other: they cut
memory, in which the layer runs slowest, into B pieces, so that samples mix.
h_n.transpose(0, 1).reshape(B, -1) does.""",
        """\
取每个序列的最后一个时间步（每个样本一个标签或一个数时）：

  h_n[-1]         单向：最上层在最后一步，与 batch_first 无关
  output[-1]      没有 batch_first 时相同；batch_first=True 时它是最后一个样本的所有时间步
  output[:, -1]   batch_first=True 时相同；没有 batch_first 时它是最后一个样本
  torch.cat([h_n[-2], h_n[-1]], dim=-1)    双向：两个方向各自的最后一步
  h_n[-1]         打包的批也一样：每个样本各自的最后一步；output[:, -1] 那里是填充

h_n.view(B, -1) 和 h_n.reshape(B, -1) 不会把同一样本的各层并排：它们把内存（层变化最慢）切成 B 段，
样本会混在一起。h_n.transpose(0, 1).reshape(B, -1) 才会。""",
        "output h_n",
    ),
    _topic(
        "h_n",
        _word(
            "h_?n",
            "(?<!initial )hidden states?",
            "hidden vectors?",
            "hidden(?! (?:state|size|dim|layer|unit|vector))",
            r"\w+_hidden",
            "final state",
            "h_t",
            "hx",
        )
        + "|(?<!初始)(?:隐藏?|最终)状态",
        """\
h_n is h after the last step, of every layer and direction: one row per layer (two if
bidirectional), for every sample. It has no time axis, and its first axis is never the batch,
whatever batch_first says. h_n[-1] is the top layer (of two directions: its backward one); h_n[0]
is layer 0, which output never shows. Row l*D + d is layer l, direction d. Of a packed batch it
holds each sample's own last step.""",
        """\
h_n 是最后一个时间步之后的隐藏状态 h，包含每一层、每个方向：每层一行（双向时两行），每个样本都有。
它没有时间轴；无论 batch_first 怎么设，第 0 轴都不是批。h_n[-1] 是最上层（双向时是它的反向）；
h_n[0] 是第 0 层，output 里看不到它。第 l*D + d 行是第 l 层、方向 d。打包的批里，它是每个样本各自
最后一步的状态。""",
        "h_n",
    ),
    _topic(
        "c_n",
        _word("c_?n", "cell states?", "c_t", "cx") + "|细胞状态|单元状态|记忆(?:单元|元|细胞)",
        """\
c_n is the cell state c after the last step, as h_n is h: one row per layer and direction, never
batch-first. Only an LSTM has one; its h is o * tanh(c). output shows h at every step and c at
none. With proj_size, c keeps hidden_size. It is needed to go on from where the sequence stopped:
lstm(next_x, (h_n, c_n)).""",
        """\
c_n 是最后一个时间步之后的细胞状态 c，与 h_n 之于 h 一样：每层每个方向一行，从不把批放在第 0 轴。
只有 LSTM 有；h = o * tanh(c)。output 给出每一步的 h，不给 c。设了 proj_size 时 c 仍是 hidden_size。
要从序列停下的地方继续，就需要它：lstm(next_x, (h_n, c_n))。""",
        "c_n",
    ),
    _topic(
        "h_0",
        _word("h_?0", "c_?0", "initial (?:hidden |cell )?states?", "init_hidden", "begin_state")
        + "|初始(?:隐藏|细胞)?状态",
        """\
h_0, and of an LSTM c_0, are the states before the first step, of the same shape as h_n and c_n:
(layers * directions, batch, hidden), never batch-first. Left out they are zeros. An LSTM takes a
pair, lstm(x, (h_0, c_0)); a GRU or RNN takes one tensor, gru(x, h_0). Take the batch size from x:
x.size(1), with batch_first=True x.size(0).""",
        """\
h_0（LSTM 还有 c_0）是第一个时间步之前的状态，形状与 h_n、c_n 相同：(层数 * 方向数, 批大小, 隐藏大
小)，批从不在第 0 轴。不传就是零。LSTM 传一对：lstm(x, (h_0, c_0))；GRU 和 RNN 传一个张量：gru(x,
h_0)。批大小从 x 取：x.size(1)；batch_first=True 时是 x.size(0)。""",
        "h_0 c_0",
    ),
    _topic(
        "batch_first",
        _word(
            "batch_?first",
            "batch size",
            "batch axis",
            "batch dim(?:ension)?",
            "seq_?len(?:gth)?",
            "sequence length",
            "axes",
            "axis",
            r"batch (?:and|with|or|vs\.?) (?:time|steps?|seq\w*)",
            r"(?:time|steps?|seq\w*) (?:and|with|or|vs\.?) batch",
        )
        + "|批大小|批次|批(?:量|处理)大小|序列长度|哪个(?:维|轴)|维度|批(?:和|与|跟)时间|时间步?(?:和|与|跟)批",
        """\
batch_first=True exchanges the first two axes of input and output, and nothing else: (B, T, I) in,
(B, T, D*H) out. Without it axis 0 is time and axis 1 the batch. h_0, c_0, h_n and c_n are (L*D,
B, H) either way, so a state made batch-first is wrong in both cases. It changes no number: only
where they lie.""",
        """\
batch_first=True 只对调输入和输出的前两个轴：输入 (B, T, I)，输出 (B, T, D*H)。不设时第 0 轴是时间
步，第 1 轴是批。h_0、c_0、h_n、c_n 始终是 (L*D, B, H)，所以把状态写成批在前，两种情况下都不对。它
不改变任何数值，只改变数值放在哪里。""",
        "input output h_n",
    ),
    _topic(
        "output",
        _word("output", "outputs", "out", "return_sequences", "return value", "returns?") + "|输出(?!门)|返回",
        """\
output is h of the top layer at every step; of two directions, side by side on the last axis:
[..., :H] forward, [..., H:] backward. Layers below the top are not in it, and c is not. Its last
step equals h_n[-1] for one direction; for two, the backward half ends at step 0.""",
        """\
output 是最上层在每个时间步的 h；双向时两个方向在最后一轴并排：[..., :H] 是正向，[..., H:] 是反向。
下面各层不在里面，c 也不在。单向时它的最后一步等于 h_n[-1]；双向时，反向的一半在第 0 步结束。""",
        "output",
    ),
    _topic(
        "input",
        _word("input", "inputs") + "|输入(?!门)",
        """\
The input is a batch of sequences of feature vectors: (T, B, I), or (B, T, I) with
batch_first=True, or one sequence (T, I). The last axis is input_size. Token ids go through
nn.Embedding first; a plain series (B, T) needs x.unsqueeze(-1).""",
        """\
输入是一批特征向量序列：(T, B, I)；batch_first=True 时是 (B, T, I)；单个序列是 (T, I)。最后一轴是
input_size。词的编号先经过 nn.Embedding；普通数列 (B, T) 要先 x.unsqueeze(-1)。""",
        "input",
    ),
    _topic(
        "bidirectional",
        _word("bidirectional", "bi-?lstm", "bi-?gru", "backward direction", "num_directions") + "|双向|反向",
        """\
bidirectional=True runs a second stack from the last step to the first. output has 2*H features,
forward first; h_n and c_n have two rows per layer: forward, backward, forward, backward. The
backward direction ends at step 0, so its last state is h_n[-1], not in output's last step. A
Linear behind it takes 2*H features.""",
        """\
bidirectional=True 再从最后一步到第一步算一遍。output 有 2*H 个特征，正向在前；h_n 和 c_n 每层两行：
正向、反向、正向、反向。反向在第 0 步结束，所以它最后的状态是 h_n[-1]，不在 output 的最后一步里。
后面的 Linear 要 2*H 个输入特征。""",
        "output h_n",
    ),
    _topic(
        "num_layers",
        _word("(?:num|n)_?layers?", "layers?_?nums?", "layers?", "stacked") + "|层数|多层|几层|堆叠",
        """\
num_layers=L puts L layers on each other: each takes the output of the one below, at the same
step. output is the top one's alone; h_n and c_n have a row for each. dropout= acts between them,
so not at all with one.""",
        """\
num_layers=L 把 L 层叠起来：每层在同一步取下一层的输出作输入。output 只是最上层的；h_n 和 c_n 每层
一行。dropout= 作用在层与层之间，只有一层时不起作用。""",
        "output h_n",
    ),
    _topic(
        "hidden_size",
        _word("hidden_?size", "hidden_?dim", "units") + "|隐藏(?:层)?(?:大小|单元|维度)",
        """\
hidden_size=H is the number of features of h and c, and of output for one direction. It is a
choice, not a property of the data, and has nothing to do with the number of steps: all steps
share one set of weights.""",
        """\
hidden_size=H 是 h 和 c 的特征数，单向时也是 output 的特征数。它由你选择，与数据无关，也与时间步数
无关：所有时间步共用一组权重。""",
        "output h_n c_n",
    ),
    _topic(
        "input_size",
        _word("input_?size", "embedding_dim", "features?") + "|特征(?:数|维度)?|嵌入|词向量",
        """\
input_size=I is the number of features at one step, the last axis of the input: the size of an
embedding, the number of sensors, the columns of an image read by rows. It is neither the length
of the sequence nor the batch size.""",
        """\
input_size=I 是一个时间步的特征数，即输入的最后一轴：嵌入维度（词向量的大小）、传感器的个数、按行读
图像时的列数。它既不是序列长度，也不是批大小。""",
        "input",
    ),
    _topic(
        "proj_size",
        _word("proj_?size", "projections?") + "|投影",
        """\
proj_size=P, of an LSTM only, multiplies h by weight_hr (P, H) after every step: h, h_0, h_n and
output have P features, c keeps H. P is smaller than H.""",
        """\
proj_size=P（只有 LSTM 有）在每一步之后把 h 乘以 weight_hr (P, H)：h、h_0、h_n 和 output 有 P 个特
征，c 仍是 H。P 小于 H。""",
        "output h_n c_n",
    ),
    _topic(
        "packed",
        _word(
            "packed",
            "pack(?:ing)?",
            "pack_padded_sequence",
            "pad_packed_sequence",
            "PackedSequence",
            "padding",
            "lengths?",
            "variable[- ]length",
            "batch_sizes",
        )
        + "|打包|填充|变长|(?:实际|真实)长度|(?:长度|长短)不(?:同|一|等)|不等长",
        """\
pack_padded_sequence keeps the real steps of a padded batch and leaves the padding out: first step
0 of all samples, then step 1 of those that have one, and so on. It needs batch_first as the data
have it, and the lengths on the CPU. The layer gives a PackedSequence back; pad_packed_sequence
makes a tensor of it. h_n holds each sample's own last step, in the order of the batch, so h_n[-1]
is right where output[:, -1] is padding.""",
        """\
pack_padded_sequence 只保留填充批里真实的时间步：先是所有样本的第 0 步，再是还有第 1 步的样本，依
此类推。它的 batch_first 要与数据一致，lengths 要在 CPU 上。层返回 PackedSequence，用
pad_packed_sequence 变回张量。h_n 是每个样本各自的最后一步，顺序与批相同；所以 h_n[-1] 是对的，而
output[:, -1] 是填充。""",
        "output h_n",
    ),
    _topic(
        "weights",
        _word(
            r"(?:weight|bias)_(?:ih|hh|hr)(?:_l\d+)?(?:_reverse)?",
            "gates?",
            "weights?",
            "parameters?",
            "parameter count",
        )
        + "|权重|门控|(?:各|几)个门|[忘入出新置]门|参数(?:量|个数)|多少个?参数",
        """\
Each layer and direction has weight_ih (G*H, I), weight_hh (G*H, H) and two biases (G*H,): G*(H*I
+ H*H + 2*H) numbers. The gates lie below each other, H rows each: LSTM i f g o, GRU r z n, RNN
one. Layer l > 0 takes D*H features instead of I. An LSTM step: i, f, o = sigmoid, g = tanh of
W_ih x + b_ih + W_hh h + b_hh; c = f*c + i*g; h = o*tanh(c). fastlstm explain 'LSTM(5, 6, 2)'
lists them all with their sizes and the count.""",
        """\
每层每个方向有 weight_ih (G*H, I)、weight_hh (G*H, H) 和两个偏置 (G*H,)：共 G*(H*I + H*H + 2*H) 个
数。各个门上下排列，各占 H 行：LSTM 是 i f g o（输入门、遗忘门、候选、输出门），GRU 是 r z n，RNN
只有一个。第 l > 0 层的输入特征数是 D*H 而不是 I。LSTM 的一步：i、f、o 用 sigmoid，g 用 tanh，作用
于 W_ih x + b_ih + W_hh h + b_hh；c = f*c + i*g；h = o*tanh(c)。fastlstm explain 'LSTM(5, 6, 2)'
列出全部参数的大小和个数。""",
    ),
    _topic(
        "dropout",
        _word("dropout") + "|丢弃",
        """\
dropout=p zeroes a share p of each layer's output on its way to the next layer, in training only;
behind the last layer and between steps it does nothing, so with one layer it does nothing at all
(torch warns). It is the sixth positional argument: pass it by name.""",
        """\
dropout=p 在训练时把每层传给下一层的输出按比例 p 置零；最后一层之后和时间步之间都不起作用，所以只
有一层时完全不起作用（torch 会警告）。它是第六个位置参数：用名字传。""",
    ),
    _topic(
        "cell",
        _word("lstm_?cell", "gru_?cell", "rnn_?cell", "one step", "step by step") + "|单步|逐步",
        """\
A cell computes one step: cell(x_t, state), x_t (B, I), the state (B, H) without a layer axis; an
LSTMCell returns (h, c), the others h. Looping over x[t] and stacking the h gives what the layer
of one direction gives as output.""",
        """\
单元（Cell）只算一个时间步：cell(x_t, state)，x_t 是 (B, I)，状态是 (B, H)，没有层这一轴；LSTMCell
返回 (h, c)，其他的返回 h。对 x[t] 循环并把 h 堆起来，就是单向层的 output。""",
    ),
)
"""From the particular to the general: a question is about those of its words that come first here, two at most."""
