"""What torch says about constructors, modules and saved weights."""

from __future__ import annotations

from .cause import cause

CONSTRUCTORS = (
    cause(
        r"(?:(?:input|hidden)_size|num_layers) should be of type int, got: (?P<got>\w+)|"
        r"proj_size argument is only supported for LSTM|proj_size has to be smaller than hidden_size|"
        r"proj_size should be a (?:positive|non-negative) integer|(?:hidden_size|num_layers) must be greater than zero|"
        r"'float' object cannot be interpreted as an integer",
        "FL307",
        (
            "The constructor was given what it cannot take: sizes are whole numbers above zero (use // to divide), "
            "proj_size is an LSTM's alone, and smaller than hidden_size.",
            "nn.LSTM(input_size, hidden_size, num_layers); nn.LSTM(input_size, hidden_size, proj_size=smaller than "
            "hidden_size).",
        ),
        (
            "构造函数的参数不对：大小要是大于零的整数（除法用 //）；proj_size 只有 LSTM 有，而且要小于 hidden_size。",
            "nn.LSTM(input_size, hidden_size, num_layers)；nn.LSTM(input_size, hidden_size, proj_size=小于 "
            "hidden_size)。",
        ),
    ),
    cause(
        r"(?P<option>bias|batch_first|bidirectional) should be of type bool, got: (?P<got>\w+)|"
        r"dropout should be a number in range \[0, 1\]|Unknown nonlinearity '[\d.]+'",
        "FL309",
        (
            "An argument landed in another's place. By position a layer takes input_size, hidden_size, num_layers, "
            "bias, "
            "batch_first, dropout, bidirectional (an RNN has nonlinearity before bias); a cell's third is bias.",
            "Pass it by its name: dropout=, bidirectional=, batch_first=.",
        ),
        (
            "参数落到了别的位置上。层的位置参数依次是 input_size、hidden_size、num_layers、bias、batch_first、"
            "dropout、"
            "bidirectional（RNN 在 bias 之前还有 nonlinearity）；单元的第三个是 bias。",
            "用名字传：dropout=、bidirectional=、batch_first=。",
        ),
    ),
    cause(
        r"Unknown nonlinearity|Unrecognized RNN mode",
        "FL307",
        (
            "An RNN knows two nonlinearities, and a layer three modes: LSTM, GRU, RNN.",
            "nonlinearity='tanh' or 'relu'.",
        ),
        (
            "RNN 只有两种非线性函数；层只有 LSTM、GRU、RNN 三种。",
            "nonlinearity='tanh' 或 'relu'。",
        ),
    ),
    cause(
        r"(?:RNNBase|RNNCellBase|LSTM|GRU|RNN)(?:Cell)?\.__init__\(\) (?:missing \d+ required positional arguments?: "
        r"|got an unexpected keyword argument '(?P<word>\w+)')",
        "FL307",
        (
            "The constructor wants input_size and hidden_size, and knows num_layers, bias, batch_first, dropout, "
            "bidirectional, an LSTM proj_size, an RNN nonlinearity; a cell knows only bias (an RNNCell nonlinearity). "
            "units, return_sequences and return_state are Keras's words.",
            "nn.LSTM(input_size=..., hidden_size=..., num_layers=1, batch_first=True). All steps come back anyway: "
            "output; the last ones in h_n.",
        ),
        (
            "构造函数必须有 input_size 和 hidden_size，可选 num_layers、bias、batch_first、dropout、bidirectional，"
            "LSTM 还有 proj_size，RNN 还有 nonlinearity；单元只有 bias（RNNCell 还有 nonlinearity）。"
            "units、return_sequences、return_state 是 Keras 的写法。",
            "nn.LSTM(input_size=..., hidden_size=..., num_layers=1, batch_first=True)。"
            "所有时间步总会返回：在 output 里；最后的状态在 h_n 里。",
        ),
    ),
    cause(
        r"dropout option adds dropout after all but last recurrent layer",
        "FL310",
        (
            "dropout= acts between stacked layers, and there is one.",
            "Remove it, or put an nn.Dropout behind the layer.",
        ),
        (
            "dropout= 作用在相邻两层之间，而这里只有一层。",
            "去掉它，或者在层后面加 nn.Dropout。",
        ),
    ),
    cause(
        r"Error\(s\) in loading state_dict.{0,4000}size mismatch for [\w.]*weight_(?:ih|hh)_l\d",
        "",
        (
            "The saved weights are of a layer with other sizes: weight_ih_l0 is (G*H, input_size), G 4 for LSTM, 3 "
            "for "
            "GRU, 1 for RNN, and weight_ih_l1 is (G*H, D*H).",
            "Make the layer with the sizes of the saved one: hidden_size is weight_hh_l0.shape[1] (without a "
            "projection), input_size is weight_ih_l0.shape[1].",
        ),
        (
            "保存的权重来自大小不同的层：weight_ih_l0 是 (G*H, input_size)，LSTM 的 G 是 4，GRU 是 3，RNN 是 1；"
            "weight_ih_l1 是 (G*H, D*H)。",
            "按保存的大小建层：hidden_size 是 weight_hh_l0.shape[1]（没有投影时），input_size 是 "
            "weight_ih_l0.shape[1]。",
        ),
    ),
    cause(
        r"Error\(s\) in loading state_dict.{0,4000}(?:Missing|Unexpected) key\(s\) in state_dict: "
        r"[^:]{0,300}(?:weight|bias)_\w+_l\d",
        "",
        (
            "The saved layer has another number of layers or directions (_l1 is the second layer, _reverse the "
            "backward "
            "direction), no biases, or the names have another prefix (module. from DataParallel).",
            "num_layers is one more than the largest l; bidirectional=True if there are _reverse; "
            "{k.removeprefix('module.'): v for k, v in saved.items()}.",
        ),
        (
            "保存的层的层数或方向数不同（_l1 是第二层，_reverse 是反向），或者没有偏置，"
            "或者名字多了前缀（DataParallel 的 module.）。",
            "num_layers 是最大的 l 加一；有 _reverse 就设 bidirectional=True；"
            "{k.removeprefix('module.'): v for k, v in saved.items()}。",
        ),
    ),
    cause(
        r"cannot assign module before Module\.__init__\(\) call",
        "",
        ("A layer was made before super().__init__() ran.", "super().__init__() in the first line of __init__."),
        ("在 super().__init__() 之前就创建了层。", "把 super().__init__() 放在 __init__ 的第一行。"),
    ),
    cause(
        r"is missing the required \"forward\" function",
        "",
        (
            "The module has no method forward: it is missing, spelled otherwise, or indented into __init__.",
            "def forward(self, x): on the level of __init__.",
        ),
        (
            "模块没有 forward 方法：没写、拼错了，或者缩进到了 __init__ 里面。",
            "def forward(self, x): 要与 __init__ 同级。",
        ),
    ),
    cause(
        r"'(?:LSTM|GRU|RNN)(?:Cell)?' object has no attribute '(?P<word>\w+)'",
        "",
        (
            "A layer keeps no state and no {word}: what it computed comes back from the call.",
            "output, (h_n, c_n) = lstm(x); output, h_n = gru(x). Weights: weight_ih_l0, weight_hh_l0, ...",
        ),
        (
            "层里不保存状态，也没有 {word}：算出来的东西由调用返回。",
            "output, (h_n, c_n) = lstm(x)；output, h_n = gru(x)。权重叫 weight_ih_l0、weight_hh_l0 等。",
        ),
    ),
    cause(
        r"cannot assign '[\w.]+' as parameter '(?P<name>\w+)'",
        "",
        (
            "A weight was replaced by a bare tensor; {name} is a Parameter.",
            "with torch.no_grad(): layer.{name}.copy_(values), or load_state_dict.",
        ),
        (
            "用普通张量替换了权重；{name} 是 Parameter。",
            "with torch.no_grad(): layer.{name}.copy_(values)，或者用 load_state_dict。",
        ),
    ),
    cause(
        r"embed_dim must be divisible by num_heads",
        "",
        (
            "Each head of an attention takes embed_dim / num_heads features, a whole number.",
            "A num_heads that divides embed_dim.",
        ),
        ("注意力的每个头取 embed_dim / num_heads 个特征，必须是整数。", "选一个能整除 embed_dim 的 num_heads。"),
    ),
    cause(
        r"was expecting embedding dimension of (?P<want>\d+), but got (?P<got>\d+)",
        "FL707",
        (
            "The attention was made for {want} features and was given {got}. A bidirectional output has 2*hidden_size.",
            "nn.MultiheadAttention({got}, ...), or a Linear({got}, {want}) before it.",
        ),
        (
            "注意力的特征数是 {want}，给的是 {got}。双向层的输出有 2*hidden_size 个特征。",
            "nn.MultiheadAttention({got}, ...)，或者前面加 Linear({got}, {want})。",
        ),
    ),
)
