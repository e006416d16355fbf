"""What torch says about the modules after a recurrent layer, losses, element types, devices and gradients."""

from __future__ import annotations

from .cause import cause

TRAINING = (
    cause(
        r"expected input\[(?P<shape>[\d, ]+)\] to have (?P<want>\d+) channels, but got (?P<got>\d+)",
        "FL210",
        (
            "Conv1d wants its channels on axis 1: (B, C, T). The input ({shape}) has {got} there; features of a "
            "recurrent "
            "layer come last.",
            "conv(x.transpose(1, 2)).transpose(1, 2) for a batch-first x of {want} features.",
        ),
        (
            "Conv1d 的通道在第 1 轴：(B, C, T)。输入 ({shape}) 那里是 {got}；循环层的特征在最后一轴。",
            "x 批在前、有 {want} 个特征时写 conv(x.transpose(1, 2)).transpose(1, 2)。",
        ),
    ),
    cause(
        r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
        "FL210",
        (
            "BatchNorm1d wants its channels on axis 1: (B, C, T). The input has {got} there; features of a recurrent "
            "layer come last.",
            "norm(x.transpose(1, 2)).transpose(1, 2) for a batch-first x of {want} features; or LayerNorm, which "
            "takes "
            "the last axis.",
        ),
        (
            "BatchNorm1d 的通道在第 1 轴：(B, C, T)。输入那里是 {got}；循环层的特征在最后一轴。",
            "x 批在前、有 {want} 个特征时写 norm(x.transpose(1, 2)).transpose(1, 2)；或者用 LayerNorm，"
            "它归一化最后一轴。",
        ),
    ),
    cause(
        r"Kernel size can't be greater than actual input size|Invalid computed output size: 0|"
        r"Expected [23]D \(unbatched\) or [34]D \(batched\) input to|expected 2D or 3D input \(got \d+D input\)",
        "FL210 FL707",
        (
            "Convolutions, pooling and BatchNorm1d work along the last axis, (B, C, T); this input has another "
            "number of "
            "axes, or its last axis (features, after a recurrent layer) is shorter than the kernel.",
            "x.transpose(1, 2) before and after it, for a batch-first x.",
        ),
        (
            "卷积、池化和 BatchNorm1d 沿最后一轴计算，输入是 (B, C, T)；这个输入的轴数不对，"
            "或者最后一轴（循环层之后是特征）比卷积核短。",
            "x 批在前时，前后各加一次 x.transpose(1, 2)。",
        ),
    ),
    cause(
        r"Expected more than 1 value per channel when training",
        "",
        (
            "BatchNorm in training needs more than one sample; the last batch of an epoch may have a single one.",
            "DataLoader(..., drop_last=True), or LayerNorm.",
        ),
        (
            "训练时 BatchNorm 需要多于一个样本；一轮的最后一个批可能只剩一个。",
            "DataLoader(..., drop_last=True)，或者用 LayerNorm。",
        ),
    ),
    cause(
        r"Given normalized_shape=\[(?P<want>[\d, ]+)\], expected input with shape",
        "FL707",
        (
            "A LayerNorm takes its sizes on the last axes; it was made for ({want}). A bidirectional output has "
            "2*hidden "
            "features.",
            "nn.LayerNorm of the number of features that it gets.",
        ),
        (
            "LayerNorm 的大小对应最后几个轴；它是按 ({want}) 建的。双向层的输出有 2*hidden 个特征。",
            "nn.LayerNorm(实际的特征数)。",
        ),
    ),
    cause(
        r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)",
        "FL201 FL202 FL604 FL708",
        (
            "The logits have {a} rows, the target has {b}. One row per step where one per sample was meant, or the "
            "axes "
            "of output are exchanged.",
            "For one label per sample take the last step, output[:, -1] with batch_first=True and output[-1] "
            "without; for "
            "one per step flatten both, logits.reshape(-1, C) and target.reshape(-1).",
        ),
        (
            "logits 有 {a} 行，目标有 {b} 个。本该每个样本一行，却成了每步一行；或者 output 的轴反了。",
            "每个样本一个标签时取最后一步：batch_first=True 用 output[:, -1]，否则用 output[-1]；"
            "每步一个标签时两个都展平：logits.reshape(-1, C) 和 target.reshape(-1)。",
        ),
    ),
    cause(
        r"Expected target size [\[(](?P<want>[\d, ]+)[\])], got (?:torch\.Size\()?[\[(](?P<got>[\d, ]+)[\])]",
        "FL604 FL708",
        (
            "CrossEntropyLoss wants the classes on axis 1: (B, C, T) for targets (B, T). The logits were (B, T, C).",
            "loss(logits.transpose(1, 2), target), or flatten both: logits.reshape(-1, C), target.reshape(-1).",
        ),
        (
            "CrossEntropyLoss 的类别在第 1 轴：目标是 (B, T) 时输入要 (B, C, T)。这里的 logits 是 (B, T, C)。",
            "loss(logits.transpose(1, 2), target)，或者两个都展平：logits.reshape(-1, C)、target.reshape(-1)。",
        ),
    ),
    cause(
        r"Using a target size \(torch\.Size\(\[(?P<a>[\d, ]*)\]\)\) that is different to the input size "
        r"\(torch\.Size\(\[(?P<b>[\d, ]*)\]\)\)",
        "FL606 FL708",
        (
            "The loss compares numbers in pairs: the target is ({a}), the prediction ({b}). (B,) beside (B, 1) "
            "broadcasts "
            "to (B, B): every prediction is compared with every target.",
            "prediction.squeeze(-1), or target.unsqueeze(-1).",
        ),
        (
            "损失要逐对比较：目标是 ({a})，预测是 ({b})。(B,) 与 (B, 1) 会广播成 (B, B)："
            "每个预测与每个目标都比了一遍。",
            "prediction.squeeze(-1)，或 target.unsqueeze(-1)。",
        ),
    ),
    cause(
        r"multi-target not supported|Target size \(.{0,80}\) must be the same as input size",
        "FL708",
        (
            "Class targets are (batch,) numbers beside (batch, classes); losses of pairs of numbers want the same "
            "sizes.",
            "target.squeeze(1) or target.argmax(1) for classes; logits.squeeze(-1) for one number per sample.",
        ),
        (
            "类别目标是 (批,) 个整数，对应 (批, 类别数)；逐对比较的损失要求大小相同。",
            "类别用 target.squeeze(1) 或 target.argmax(1)；每个样本一个数时用 logits.squeeze(-1)。",
        ),
    ),
    cause(
        r"input_lengths must be of size batch_size|Expected input_lengths to have value at most",
        "",
        (
            "CTCLoss wants log-probabilities of (T, B, C), whatever batch_first says.",
            "ctc(log_probs.transpose(0, 1), ...) for a batch-first output.",
        ),
        (
            "无论 batch_first 怎么设，CTCLoss 要的对数概率都是 (T, B, C)。",
            "输出是批在前时写 ctc(log_probs.transpose(0, 1), ...)。",
        ),
    ),
    cause(
        r"Implicit dimension choice for (?:log_)?soft(?:max|min)",
        "FL602",
        (
            "softmax without dim takes axis 0 of three axes (time or batch), axis 1 of two.",
            "dim=-1, the features or classes.",
        ),
        ("softmax 不写 dim 时，三个轴取第 0 轴（时间或批），两个轴取第 1 轴。", "dim=-1，即特征或类别轴。"),
    ),
    cause(
        r"all elements of (?:input|target) should be between 0 and 1",
        "",
        (
            "binary_cross_entropy wants probabilities, and was given logits, or targets that are no probabilities.",
            "binary_cross_entropy_with_logits(logits, target), without a sigmoid before it.",
        ),
        (
            "binary_cross_entropy 要概率，给的是 logits，或者目标不是概率。",
            "binary_cross_entropy_with_logits(logits, target)，前面不要再加 sigmoid。",
        ),
    ),
    cause(
        r"argument #1 'indices' to have one of the following scalar types: Long, Int; but got (?:torch\.)?(?P<got>\w+)|"
        r"tensors used as indices must be long|one_hot is only applicable to index tensor",
        "FL710",
        (
            "An Embedding, one_hot or an index takes whole numbers; these are floating.",
            "Make the ids with dtype=torch.long, or x.long() if they are whole numbers already.",
        ),
        (
            "Embedding、one_hot 和索引要整数；这里是浮点数。",
            "建编号时用 dtype=torch.long；值本来就是整数时用 x.long()。",
        ),
    ),
    cause(
        r"RNN input dtype \(torch\.(?P<got>\w+)\) does not match weight dtype \(torch\.(?P<want>\w+)\)",
        "FL710",
        (
            "The layer's weights are {want}, the input is {got}. Token ids go through an Embedding or one_hot first.",
            "x.to(layer.weight_ih_l0.dtype), or layer.double() for a float64 input.",
        ),
        (
            "层的权重是 {want}，输入是 {got}。词的编号要先经过 Embedding 或 one_hot。",
            "x.to(layer.weight_ih_l0.dtype)；输入是 float64 时也可 layer.double()。",
        ),
    ),
    cause(
        r"(?:m1 and m2|mat1 and mat2) (?:to|must) have the same dtype, but got:? (?P<a>\w+)(?: int)?(?: !=|,? and) "
        r"(?P<b>\w+)|mean\(\): could not infer output dtype|not implemented for '(?:Long|Int|Bool)'|"
        r"expected scalar type \w+ but found \w+|expected target dtype to be Long|"
        r"result type \w+ can't be cast to the desired output type",
        "FL710",
        (
            "A product of matrices promotes nothing, and layers, mean, softmax and losses take floating numbers; "
            "class "
            "targets are int64. An array of NumPy is float64 unless made otherwise.",
            "x.float() for numbers that are whole or float64, target.long() for classes.",
        ),
        (
            "矩阵乘法不做类型提升；层、mean、softmax 和损失要浮点数，类别目标要 int64。NumPy 数组默认是 float64。",
            "整数或 float64 用 x.float()；类别用 target.long()。",
        ),
    ),
    cause(
        r"Input and (?:hidden|parameter) tensors are not at the same device|"
        r"Expected all tensors to be on the same device|is not on the expected device",
        "",
        (
            "Some tensor stayed on another device: with recurrent layers mostly an initial state made without device=.",
            "torch.zeros(..., device=x.device), or leave the state out: zeros are the default.",
        ),
        (
            "有张量留在了别的设备上：循环层多半是初始状态没有写 device=。",
            "torch.zeros(..., device=x.device)，或者不传状态：默认就是零。",
        ),
    ),
    cause(
        r"Torch not compiled with CUDA enabled|argument 'device' must be torch\.device",
        "",
        (
            "This torch has no GPU to offer, or device= was given something else than a device.",
            "device = 'cuda' if torch.cuda.is_available() else 'cpu'; device=x.device. Lengths for packing stay on "
            "the "
            "CPU.",
        ),
        (
            "这个 torch 不能用 GPU，或者 device= 给的不是设备。",
            "device = 'cuda' if torch.cuda.is_available() else 'cpu'；device=x.device。打包用的 lengths 留在 CPU 上。",
        ),
    ),
    cause(
        r"Trying to backward through the graph a second time",
        "FL502",
        (
            "A state carried from one batch to the next still holds the graph of the earlier one.",
            "state = state.detach() (for an LSTM both of the pair) before the next batch.",
        ),
        (
            "从一个批传到下一个批的状态还带着前一个批的计算图。",
            "下一个批之前 state = state.detach()（LSTM 的两个都要）。",
        ),
    ),
    cause(
        r"has been modified by an inplace operation",
        "FL502",
        (
            "A value that the backward pass needs was overwritten: weights by optimizer.step() while a carried state "
            "still "
            "holds the graph from before it (retain_graph=True hides that), or a tensor by h[...] = or +=.",
            "state.detach() before the next batch instead of retain_graph=True; a list and torch.stack instead of "
            "writing into a tensor step by step.",
        ),
        (
            "反向传播需要的值被改写了：optimizer.step() 改了权重，而传下来的状态还带着之前的计算图"
            "（retain_graph=True 会掩盖它）；或者用 h[...] = 或 += 改了张量。",
            "下一个批之前 state.detach()，不要用 retain_graph=True；逐步写入张量改为列表加 torch.stack。",
        ),
    ),
    cause(
        r"leaf Variable that requires grad",
        "",
        (
            "A learned tensor (an initial state as nn.Parameter, say) was written into.",
            "Use it without writing: h_0.expand(-1, batch, -1).contiguous().",
        ),
        (
            "改写了要学习的张量（例如作为 nn.Parameter 的初始状态）。",
            "只用不改：h_0.expand(-1, batch, -1).contiguous()。",
        ),
    ),
    cause(
        r"grad can be implicitly created only for scalar outputs",
        "",
        (
            "backward starts from one number, the loss; this tensor has many, as output and h_n have.",
            "loss = criterion(output, target); loss.backward(). reduction='none' needs a .mean().",
        ),
        (
            "反向传播从一个数（损失）开始；这个张量有很多数，output 和 h_n 都是这样。",
            "loss = criterion(output, target)；loss.backward()。reduction='none' 时再加 .mean()。",
        ),
    ),
    cause(
        r"does not require grad and does not have a grad_fn",
        "",
        (
            "Nothing that is learned leads to the loss: it was computed under no_grad, or from a detached, item()'d "
            "or "
            "argmax'ed value.",
            "Detach the carried state only, not the output of this batch; losses take logits, not argmax.",
        ),
        (
            "损失与要学习的东西没有联系：它在 no_grad 里算出，或者来自 detach、item()、argmax 之后的值。",
            "只对传下来的状态 detach，不要对这个批的输出；损失用 logits，不用 argmax。",
        ),
    ),
    cause(
        r"Can't call numpy\(\) on Tensor that requires grad|can't convert cuda.{0,40} tensor to numpy",
        "",
        ("The tensor is still part of a graph, or on a GPU.", "output.detach().cpu().numpy()."),
        ("张量还在计算图里，或者在 GPU 上。", "output.detach().cpu().numpy()。"),
    ),
)
