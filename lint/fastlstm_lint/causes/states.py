"""What torch says about the inputs and states of layers and cells."""

from __future__ import annotations

from .cause import cause

SIZES = r"[\[(]([\d, ]+)[\])]"

HIDDEN = r"Expected hidden(?:\[\d\])? size \((?P<l>\d+), (?P<b>\d+), (?P<h>\d+)\)"

STATES = (
    cause(
        HIDDEN + r", got [\[(](?P=b), (?P=l), (?P=h)[\])]",
        "FL101",
        (
            "The initial state is batch-first. States are (layers*directions, batch, hidden), whatever batch_first "
            "says.",
            "Make it ({l}, {b}, {h}): torch.zeros({l}, {b}, {h}), or state.transpose(0, 1).contiguous().",
        ),
        (
            "初始状态把批放在了第 0 轴。无论 batch_first 怎么设，状态的形状都是 (层数*方向数, 批大小, 隐藏大小)。",
            "改成 ({l}, {b}, {h})：torch.zeros({l}, {b}, {h})，或 state.transpose(0, 1).contiguous()。",
        ),
    ),
    cause(
        HIDDEN + r", got [\[(](?P<g>\d+), (?P=b), (?P=h)[\])]",
        "FL102",
        (
            "The first size of the state is num_layers * directions: {l} here, and the state given has {g}.",
            "Make it ({l}, {b}, {h}); a bidirectional layer has two rows per layer.",
        ),
        (
            "状态的第 0 轴大小是 num_layers * 方向数：这里应为 {l}，给的是 {g}。",
            "改成 ({l}, {b}, {h})；双向时每层有两行。",
        ),
    ),
    cause(
        HIDDEN + r", got [\[(](?P=l), (?P<g>\d+), (?P=h)[\])]",
        "FL104 FL105",
        (
            "The state is made for a batch of {g}, the input has {b}: its batch size is taken from the time axis (is "
            "batch_first what the input is?), or it is fixed and this is the last, smaller batch.",
            "Take it from the input where it comes in: x.size(0) with batch_first=True, x.size(1) without.",
        ),
        (
            "状态的批大小是 {g}，输入的批大小是 {b}：批大小取自时间轴（batch_first 与输入的布局一致吗？），"
            "或者写死了，而这是最后一个较小的批。",
            "从输入取批大小：batch_first=True 时用 x.size(0)，否则用 x.size(1)。",
        ),
    ),
    cause(
        rf"Expected hidden(?:\[\d\])? size \((?P<want>[\d, ]+)\), got {SIZES}",
        "FL101 FL102 FL104 FL103",
        (
            "The initial state has other sizes than (layers*directions, batch, hidden) = ({want}).",
            "Make it ({want}). With proj_size only c_0 keeps hidden_size: h_0 has proj_size features.",
        ),
        (
            "初始状态的形状不是 (层数*方向数, 批大小, 隐藏大小) = ({want})。",
            "改成 ({want})。设了 proj_size 时，只有 c_0 仍是 hidden_size，h_0 的特征数是 proj_size。",
        ),
    ),
    cause(
        r"For (?:un)?batched (?:2|3)-D input, hx(?: and cx)? should also be",
        "FL103",
        (
            "State and input must both have a batch axis or both have none: (T, B, I) goes with (L*D, B, H), "
            "(T, I) with (L*D, H).",
            "Give the state the axis that it lacks, or leave the state out: zeros are the default.",
        ),
        (
            "状态和输入要么都有批轴，要么都没有：(T, B, I) 对应 (L*D, B, H)，(T, I) 对应 (L*D, H)。",
            "给状态补上缺的轴，或者不传状态：默认就是零。",
        ),
    ),
    cause(
        r"input\.size\(-1\) must be equal to input_size\. Expected (?P<want>\d+), got (?P<got>\d+)",
        "FL302 FL203",
        (
            "The last axis of the input has {got} features, the layer was made for input_size={want}. After a "
            "bidirectional layer it is 2*hidden_size; after a transpose it may not be the feature axis at all.",
            "Make the layer with input_size={got}, or bring the feature axis to the end.",
        ),
        (
            "输入最后一轴有 {got} 个特征，而层的 input_size={want}。双向层之后应为 2*hidden_size；"
            "转置之后，最后一轴可能根本不是特征轴。",
            "建层时用 input_size={got}，或者把特征轴移到最后。",
        ),
    ),
    cause(
        r"(?:LSTM|GRU|RNN): Expected input to be 2D or 3D, got (?P<got>\d+)D|"
        r"input must have 3 dimensions, got (?P<old>\d+)",
        "FL302 FL707",
        (
            "A recurrent layer takes (T, B, I), (B, T, I) with batch_first=True, or (T, I) without a batch; this "
            "input "
            "has another number of axes.",
            "Merge or drop an axis: an Embedding makes token ids (B, T, I); reshape images, the batch kept. A single "
            "series (T,) is x.unsqueeze(-1), (T, 1).",
        ),
        (
            "循环层的输入是 (T, B, I)；batch_first=True 时是 (B, T, I)；没有批时是 (T, I)。这个输入的轴数不对。",
            "合并或去掉一个轴：Embedding 把词的编号变成 (B, T, I)；图像要 reshape，但保留批。"
            "单个序列 (T,) 写 x.unsqueeze(-1)，得到 (T, 1)。",
        ),
    ),
    cause(
        r"input has inconsistent input_size: got (?P<got>\d+),? expected (?P<want>\d+)",
        "FL302",
        (
            "A cell made for input_size={want} was given {got} features.",
            "Make the cell with input_size={got}, or bring the feature axis to the end.",
        ),
        (
            "单元（Cell）的 input_size={want}，给的特征数是 {got}。",
            "建单元时用 input_size={got}，或者把特征轴移到最后。",
        ),
    ),
    cause(
        r"(?P<cell>\w+Cell): Expected input to be 1D or 2D, got (?P<got>\d+)D",
        "FL302",
        (
            "A cell computes one step: it takes (B, I) or (I,), and this input has {got} axes.",
            "Loop over the time axis, cell(x[t], state), or use the layer instead of {cell}.",
        ),
        (
            "单元（Cell）只算一个时间步：输入是 (B, I) 或 (I,)，而这个输入有 {got} 个轴。",
            "沿时间轴循环 cell(x[t], state)，或者用整层代替 {cell}。",
        ),
    ),
    cause(
        r"Input batch size (?P<b>\d+) doesn't match hidden\d? ?batch size (?P<g>\d+)",
        "FL104 FL105",
        (
            "The cell's state is made for a batch of {g}, and the input has {b}: its batch size is taken from another "
            "axis, or fixed, and this is the last, smaller batch.",
            "Take it from the input where it comes in: x.size(0).",
        ),
        (
            "单元的状态的批大小是 {g}，输入是 {b}：批大小取错了轴，或者写死了，而这是最后一个较小的批。",
            "从输入取批大小：x.size(0)。",
        ),
    ),
    cause(
        r"(?P<cell>\w+Cell): Expected (?:hx\[\d\]|hidden) to be 1D or 2D, got (?P<got>\d+)D",
        "FL103",
        (
            "A cell's state is (batch, hidden), or (hidden,) for a single sample; this one has {got} axes.",
            "state.squeeze(0) where the first axis counts layers; a cell has none.",
        ),
        (
            "单元的状态是 (批大小, 隐藏大小)，单个样本时是 (隐藏大小,)；这个状态有 {got} 个轴。",
            "第 0 轴是层数时用 state.squeeze(0)；单元没有层这一轴。",
        ),
    ),
    cause(
        r"hidden\d has inconsistent hidden_size: got (?P<got>\d+),? expected (?P<want>\d+)",
        "FL707",
        (
            "The cell was made for hidden_size={want} and given a state of {got}; or its input has no batch axis and "
            "the state has one.",
            "torch.zeros(batch, {want}) with an input of (batch, features).",
        ),
        (
            "单元的 hidden_size={want}，状态的是 {got}；或者输入没有批轴而状态有。",
            "输入是 (批大小, 特征数) 时，状态用 torch.zeros(批大小, {want})。",
        ),
    ),
    cause(
        r"argument 'hx' \(position 2\) must be tuple of Tensors, not Tensor|"
        r"index 1 is out of bounds for dimension 0 with size 1|lstm expects two hidden states",
        "FL106",
        (
            "An LSTM's state is a pair (h, c); one tensor, or another number of them, was given. A single tensor is "
            "taken apart along its first axis.",
            "lstm(x, (h_0, c_0)), both of (layers*directions, batch, hidden); for a cell both of (batch, hidden).",
        ),
        (
            "LSTM 的状态是一对 (h, c)；这里只给了一个张量，或者个数不对。单个张量会沿第 0 轴被拆开。",
            "lstm(x, (h_0, c_0))，两个都是 (层数*方向数, 批大小, 隐藏大小)；单元的两个都是 (批大小, 隐藏大小)。",
        ),
    ),
    cause(
        r"(?:LSTM|GRU|RNN)(?:Cell)?\.forward\(\) takes from 2 to 3 positional arguments but (?P<n>\d+) were given",
        "FL106",
        (
            "The layer takes the input and one state argument; {n} arguments were given, the layer itself counted. "
            "The "
            "two states of an LSTM are one argument, a pair.",
            "lstm(x, (h_0, c_0)), not lstm(x, h_0, c_0); gru(x, h_0).",
        ),
        (
            "层只接受输入和一个状态参数；这里给了 {n} 个（连层自己算在内）。LSTM 的两个状态合成一个参数，即一对。",
            "写 lstm(x, (h_0, c_0))，不是 lstm(x, h_0, c_0)；GRU 写 gru(x, h_0)。",
        ),
    ),
    cause(
        r"(?:LSTM|GRU|RNN)(?:Cell)?\.forward\(\) missing 1 required positional argument: 'input'",
        "",
        (
            "The layer was called without an input.",
            "layer(x), x of (T, B, input_size), or (B, T, input_size) with batch_first=True.",
        ),
        (
            "调用层时没有给输入。",
            "layer(x)，x 的形状是 (T, B, input_size)；batch_first=True 时是 (B, T, input_size)。",
        ),
    ),
    cause(
        r"'NoneType' object has no attribute '(?:dim|size|shape|detach)'",
        "FL106",
        (
            "None stands where a tensor is wanted: inside the pair of states (an LSTM takes no pair of None), or as a "
            "state that the first call has not made yet.",
            "lstm(x), or lstm(x, None): zeros are the default. Detach only what is not None.",
        ),
        (
            "该是张量的地方是 None：可能在状态的一对里（LSTM 不接受 (None, None)），也可能是第一次调用前还没有的状态。",
            "写 lstm(x) 或 lstm(x, None)：默认就是零。不是 None 时才 detach。",
        ),
    ),
    cause(
        r"'(?:numpy\.)?(?P<got>ndarray|list|int|float)' object has no attribute '(?:dim|size|is_\w+|device)'|"
        r"argument 'input' \(position 1\) must be Tensor, not (?:numpy\.)?(?P<other>ndarray|list|int|float)",
        "",
        (
            "A layer of torch was given an array or a list instead of a tensor.",
            "torch.as_tensor(x, dtype=torch.float32). (fastlstm.LSTM takes NumPy arrays as they are.)",
        ),
        (
            "给 torch 的层传了数组或列表，而不是张量。",
            "torch.as_tensor(x, dtype=torch.float32)。（fastlstm.LSTM 直接接受 NumPy 数组。）",
        ),
    ),
    cause(
        r"Expected sequence length to be larger than 0 in RNN",
        "FL709",
        (
            "The sequence has no steps: its time axis has size 0.",
            "Leave empty sequences out; see which slice gave the empty axis, and which axis is time (batch_first).",
        ),
        (
            "序列里没有时间步：时间轴大小为 0。",
            "去掉空序列；看看是哪个切片得到了空轴，以及哪个轴是时间（batch_first）。",
        ),
    ),
    cause(
        r"hx is not contiguous|rnn: (?:hx|cx) is not contiguous",
        "FL101",
        (
            "The initial state was transposed: its memory is in another order, which a GPU's layers do not take.",
            "state.transpose(0, 1).contiguous(), or make it (layers*directions, batch, hidden) from the start.",
        ),
        (
            "初始状态被转置过：内存顺序变了，GPU 上的层不接受。",
            "state.transpose(0, 1).contiguous()，或者一开始就建成 (层数*方向数, 批大小, 隐藏大小)。",
        ),
    ),
    cause(
        r"RNN backward can only be called in training mode",
        "",
        (
            "backward was called through a recurrent layer that was in eval mode when it computed, on a GPU.",
            "model.train() before the forward call; to freeze parts of it, turn off their dropout instead.",
        ),
        (
            "在 GPU 上，循环层以 eval 模式做了前向计算，却要反向传播。",
            "前向计算之前先 model.train()；要冻结某些部分，就关掉它们的 dropout。",
        ),
    ),
)
