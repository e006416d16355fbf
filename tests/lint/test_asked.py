"""Twenty questions as learners put them, and where: one command, or the playground's line, answers each."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from fastlstm_lint.cli import main
from fastlstm_lint.playground.answers import Answers

ASKED = [
    # (where, the question in the asker's words, what the answer must say)
    (
        "stackoverflow 48302810",
        'What\'s the difference between "hidden" and "output" in PyTorch LSTM?',
        ("h_n is h after the last step, of every layer", "output is h of the top layer at every step"),
    ),
    (
        "discuss.pytorch.org 146724",
        "If we wanted to have just the last hidden state, we would simply slice the last column of output? Is h_n "
        "exactly this last column?",
        ("h_n[-1]         one direction: the top layer at the last step", "output[:, -1]   the same, with batch_first"),
    ),
    (
        "pytorch 19675",
        "LSTM batch_first flag does not produce ouputs with the batch as the first dimension.",
        ("exchanges the first two axes of input and output, and nothing else", "(L, B, H)"),
    ),
    (
        "PyTorchZeroToAll 16",
        "Does `batch_first` really also work on the shape of RNN's hidden vector?",
        ("exchanges the first two axes of input and output, and nothing else", "h_n is h after the last step"),
    ),
    (
        "discuss.pytorch.org 3686",
        "Concatenation of the hidden states produced by a Bidirectional LSTM",
        ("two rows per layer: forward, backward, forward, backward", "(T, B, D*H)"),
    ),
    (
        "pytorch-seq2seq 162",
        "RuntimeError: Expected hidden[0] size (2, 1, 512), got [2, 128, 512]",
        ("The state is made for a batch of 128, the input has 1", "FL104"),
    ),
    (
        "IBM/pytorch-seq2seq 126",
        "Is batch_size = encoder_hidden[0].size(1) a bug?",
        ("its first axis is never the batch", "(L, B, H)    layer, batch, feature"),
    ),
    (
        "pytorch 34036",
        "LSTM swaps batch with time when time.size() = 1",
        ("Without it axis 0 is time and axis 1 the batch", "(L, B, H)"),
    ),
    (
        "stackoverflow 51030782",
        "Why do we pack the sequences in PyTorch?",
        ("keeps the real steps of a padded batch and leaves the padding out", "output[:, -1] is padding"),
    ),
    (
        "minimalRL 50",
        "Shouldn't the hidden state be of the same dimensions except the last? Correspond to the timestep dimension?",
        ("It has no time axis", "one row per layer"),
    ),
    (
        "blog.51cto.com 5468606",
        "Pytorch中RNN输出的h_n和output是什么",
        ("h_n 是最后一个时间步之后的隐藏状态 h", "output 是最上层在每个时间步的 h"),
    ),
    (
        "duoke360 34053",
        'PyTorch LSTM中"hidden"和"output"有什么区别?',
        ("h_n 是最后一个时间步之后的隐藏状态 h", "output 是最上层在每个时间步的 h"),
    ),
    (
        "stackoverflow, qa.1r1g.com 3477185561",
        "PyTorch中RNN(nn.LSTM,nn.GRU等)的输出h_n是如何构造的?",
        ("h_n[0] 是第 0 层，output 里看不到它", "第 l*D + d 行是第 l 层、方向 d"),
    ),
    ("the same thread", "输出是否受batch_first选项影响?", ("只对调输入和输出的前两个轴", "始终是 (L*D, B, H)")),
    (
        "Tensorflow-Tutorial 9",
        "hidden_size = 256是不是就是输出状态向量的长度?",
        ("hidden_size=H 是 h 和 c 的特征数，单向时也是 output 的特征数", "(T, B, H)"),
    ),
    ("the same issue", "layer_num = 2这个是什么意思", ("num_layers=L 把 L 层叠起来", "h_n 和 c_n 每层")),
    (
        "duoke360 34726",
        "PyTorch LSTM输入维度",
        ("(T, B, I)；batch_first=True 时是 (B, T, I)", "普通数列 (B, T) 要先 x.unsqueeze(-1)"),
    ),
    (
        "duoke360 35135",
        "报错 ValueError: Expected target size (128, 44), got torch.Size([128, 100])",
        ("CrossEntropyLoss 的类别在第 1 轴", "loss(logits.transpose(1, 2), target)", "FL604"),
    ),
    (
        "jyuanhust.github.io 2022-08-24",
        "既然 output 是所有的 h_n,那最后一维 output 是不是就是 h_n? 双向呢?",
        ("双向时，反向的一半在第 0 步结束", "h_n[-1] 是最上层（双向时是它的反向）"),
    ),
    (
        "PaddlePaddle 5414",
        "这个seq的长度是每个句子的实际长度还是这个batch中最大的那个长度?",
        ("只保留填充批里真实的时间步", "h_n 是每个样本各自的最后一步"),
    ),
]


def flat(text: str) -> str:
    """A text on one line. A line ends between two words of English, and anywhere in Chinese."""
    lines = text.split("\n")
    joined = lines[0]
    for line in lines[1:]:
        chinese = joined[-1:] > "\u2e80" or line[:1] > "\u2e80"
        joined += line if chinese else f" {line}"
    return joined


def test_there_are_ten_in_each_language() -> None:
    chinese = [question for _, question, _ in ASKED if any("\u4e00" <= letter <= "\u9fff" for letter in question)]
    assert (len(ASKED), len(chinese)) == (20, 10)


@pytest.mark.parametrize(("where", "question", "said"), ASKED, ids=[where for where, _, _ in ASKED])
def test_a_question_is_answered_in_one_step(where: str, question: str, said: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["explain", question])
    assert result.exit_code == 0, result.output
    told = flat(result.output)
    for each in said:
        assert each in told, (where, each)
    assert Answers().answer({"ask": "tell", "text": question})["text"] == result.output.rstrip("\n")
