"""What torch says about products, joins, views, axes and indices."""

from __future__ import annotations

from .cause import cause

TENSORS = (
    cause(
        r"(?:mat1 and mat2 shapes cannot be multiplied \((?P<a>\d+)x(?P<b>\d+) and (?P<c>\d+)x(?P<d>\d+)\))",
        "FL301 FL205 FL701",
        (
            "A Linear made for {c} features was given {b}. The output of a recurrent layer has D*H features "
            "(proj_size instead of H where it is set); a flattened state has L*D*H. (In a product of your own, the "
            "last "
            "size of the first must be the first of the second.)",
            "Make it nn.Linear({b}, {d}), or pass it the {c} features that were meant.",
        ),
        (
            "Linear 的输入特征数是 {c}，给的是 {b}。循环层的输出有 D*H 个特征（设了 proj_size 时用它代替 H）；"
            "展平的状态有 L*D*H 个。（自己写的矩阵乘法：前一个的最后一轴要等于后一个的第 0 轴。）",
            "改成 nn.Linear({b}, {d})，或者传入原来想要的 {c} 个特征。",
        ),
    ),
    cause(
        r"size mismatch, m1: \[(?P<a>\d+) x (?P<b>\d+)\], m2: \[(?P<c>\d+) x (?P<d>\d+)\]",
        "FL301 FL205 FL701",
        (
            "A Linear made for {c} features was given {b} (an older torch's words). The output of a recurrent layer "
            "has "
            "D*H features; a flattened state has L*D*H.",
            "Make it nn.Linear({b}, {d}), or pass it the {c} features that were meant.",
        ),
        (
            "Linear 的输入特征数是 {c}，给的是 {b}（旧版 torch 的说法）。循环层的输出有 D*H 个特征；展平的状态有 "
            "L*D*H 个。",
            "改成 nn.Linear({b}, {d})，或者传入原来想要的 {c} 个特征。",
        ),
    ),
    cause(
        r"Expected size for first two dimensions of batch2 tensor to be: \[(?P<want>[\d, ]+)\] but got: "
        r"\[(?P<got>[\d, ]+)\]",
        "FL701",
        (
            "bmm multiplies (B, n, m) by (B, m, p); the second one begins with ({got}) where ({want}) was due.",
            "Give both the batch first, and transpose(1, 2) the second where its features come last.",
        ),
        (
            "bmm 计算 (B, n, m) 乘 (B, m, p)；第二个的前两轴是 ({got})，应为 ({want})。",
            "两个都把批放在第 0 轴；第二个的特征在最后时用 transpose(1, 2)。",
        ),
    ),
    cause(
        r"size mismatch, got input|inconsistent tensor size, expected tensor|must be a matrix|must be a 3D tensor|"
        r"1D tensors expected|input\d size does not match weight size",
        "FL701",
        (
            "mm multiplies matrices (two axes each), bmm batches of them (three), mv a matrix by a vector, dot two "
            "vectors; their inner sizes are the same.",
            "a @ b takes any number of axes: (B, T, H) @ (H, n). Scores of an attention: "
            "torch.bmm(output, query.unsqueeze(2)).squeeze(2).",
        ),
        (
            "mm 乘两个矩阵（各两个轴），bmm 乘成批的矩阵（各三个轴），mv 是矩阵乘向量，dot 是两个向量；"
            "里面的大小要相等。",
            "a @ b 的轴数不限：(B, T, H) @ (H, n)。注意力的分数：torch.bmm(output, query.unsqueeze(2)).squeeze(2)。",
        ),
    ),
    cause(
        r"einsum\(\): ",
        "FL701",
        (
            "A letter of the equation stands for two sizes, or an operand has another number of axes than letters.",
            "Write one letter per axis, in the order of the tensor: b, t for batch-first, t, b without.",
        ),
        (
            "式子里一个字母对应了两种大小，或者字母数与张量的轴数不同。",
            "每个轴写一个字母，按张量的顺序：批在前写 b, t，否则写 t, b。",
        ),
    ),
    cause(
        r"Sizes of tensors must match except in dimension (?P<d>\d+)\. (?:Expected size|Got) (?P<a>\d+) "
        r"(?:but got size|and) (?P<b>\d+)",
        "FL203 FL703",
        (
            "Tensors joined along axis {d} differ on another one: {a} and {b}. One of them may be (T, B, ...) and the "
            "other (B, T, ...).",
            "Give both the same order: batch_first for both layers, or x.transpose(0, 1) for one.",
        ),
        (
            "沿第 {d} 轴拼接的张量在别的轴上大小不同：{a} 和 {b}。可能一个是 (T, B, ...)，另一个是 (B, T, ...)。",
            "让两个的顺序一致：两层都设 batch_first，或者对其中一个 x.transpose(0, 1)。",
        ),
    ),
    cause(
        r"stack expects each tensor to be equal size|Tensors must have same number of dimensions|"
        r"zero-dimensional tensor \(at position \d+\) cannot be concatenated|"
        r"expected sequence of length \d+ at dim \d+ \(got \d+\)",
        "FL703 FL709",
        (
            "cat wants tensors of as many axes, stack tensors of the same sizes, torch.tensor rows of the same length.",
            "unsqueeze what lacks an axis; pad_sequence(list, batch_first=True) for sequences of different lengths.",
        ),
        (
            "cat 要求轴数相同，stack 要求大小相同，torch.tensor 要求每行一样长。",
            "缺轴的用 unsqueeze 补；长度不同的序列用 pad_sequence(列表, batch_first=True)。",
        ),
    ),
    cause(
        r"The shape of the mask \[(?P<a>[\d, ]+)\] at index \d+ does not match the shape of the indexed tensor "
        r"\[(?P<b>[\d, ]+)\]",
        "FL702",
        (
            "A mask has the sizes of the first axes of what it selects from: ({a}) beside ({b}). (T, B) beside "
            "(B, T, ...) is the usual slip.",
            "mask.t() where the two axes are exchanged; (B, T) for a batch-first output.",
        ),
        (
            "掩码的大小要等于被选张量的前几个轴：这里是 ({a}) 对 ({b})。常见的是 (T, B) 对 (B, T, ...)。",
            "两个轴反了就用 mask.t()；输出是批在前时，掩码要 (B, T)。",
        ),
    ),
    cause(
        r"indexing tensors could not be broadcast together",
        "FL702",
        (
            "Two index tensors of different lengths stand beside each other; one index for each sample is meant.",
            "output[torch.arange(output.size(0)), lengths - 1] for the last step of each, batch-first.",
        ),
        (
            "并排的两个索引张量长度不同；应该每个样本一个索引。",
            "批在前时取每个样本的最后一步：output[torch.arange(output.size(0)), lengths - 1]。",
        ),
    ),
    cause(
        r"Index tensor must have the same number of dimensions as (?:input|self) tensor|"
        r"Size does not match at dimension \d+ expected index",
        "FL705",
        (
            "gather wants an index with as many axes as the tensor, none but the gathered one larger.",
            "output.gather(1, (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))).squeeze(1) for the last "
            "step of "
            "each, batch-first.",
        ),
        (
            "gather 的索引要与张量轴数相同，除被取的轴外都不能更大。",
            "批在前时取每个样本的最后一步："
            "output.gather(1, (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))).squeeze(1)。",
        ),
    ),
    cause(
        r"The size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton "
        r"dimension (?P<d>\d+)|doesn't match the broadcast shape|The expanded size of the tensor|"
        r"the number of sizes provided \(\d+\) must be greater or equal|Number of dimensions of repeat dims",
        "FL702 FL709",
        (
            "Broadcasting aligns axes from the last; two sizes are the same or one of them is 1. A (batch, hidden) "
            "beside "
            "(batch, time, hidden) meets time.",
            "unsqueeze the axis that is missing: h.unsqueeze(1) beside a batch-first output.",
        ),
        (
            "广播从最后一轴开始对齐；两个大小要相等，或者其中一个是 1。(批, 隐藏) 与 (批, 时间, 隐藏) 放在一起，"
            "批会对上时间。",
            "用 unsqueeze 补上缺的轴：与批在前的 output 一起时写 h.unsqueeze(1)。",
        ),
    ),
    cause(
        r"shape '\[(?P<want>[-\d, ]+)\]' is invalid for input of size (?P<n>\d+)|don't multiply up to the size of dim|"
        r"only one dimension can be inferred",
        "FL704 FL707",
        (
            "A view keeps the number of entries, and the sizes asked for have another product (or two are -1): a last "
            "batch that is smaller, D or L left out, or H where proj_size is set.",
            "Let torch work one size out (-1), and take the batch from the tensor: x.size(0).",
        ),
        (
            "view 不改变元素个数，而要求的大小乘起来不相等（或者有两个 -1）：可能最后一个批较小，漏了 D 或 L，"
            "或者设了 proj_size 却用 H。",
            "让 torch 推一个大小（-1），批大小从张量取：x.size(0)。",
        ),
    ),
    cause(
        r"view size is not compatible with input tensor's size and stride",
        "FL204 FL205 FL704",
        (
            "The tensor was transposed, and view cannot regroup its memory. If view was meant to exchange axes, it "
            "never "
            "does.",
            "reshape(...) copies where it must; permute or transpose exchanges axes.",
        ),
        (
            "张量被转置过，view 不能重新划分它的内存。如果想用 view 交换轴，view 从来做不到。",
            "reshape(...) 需要时会复制；交换轴用 permute 或 transpose。",
        ),
    ),
    cause(
        r"Dimension out of range \(expected to be in range of \[-(?P<n>\d+), \d+\], but got (?P<got>-?\d+)\)",
        "FL705 FL103",
        (
            "The tensor has {n} axes and axis {got} was asked for: an output of an unbatched call has two, h_n[-1] "
            "has one "
            "less than h_n, squeeze may have taken one away.",
            "Print its shape there; count from the end (dim=-1) where the features are meant.",
        ),
        (
            "张量有 {n} 个轴，却要第 {got} 轴：没有批的调用，输出只有两个轴；h_n[-1] 比 h_n 少一个轴；squeeze "
            "也可能去掉了一个。",
            "在那里打印形状；指特征轴时从末尾数（dim=-1）。",
        ),
    ),
    cause(
        r"permute\(.{0,40}number of dimensions in the tensor input does not match|duplicate dims are not allowed|"
        r"t\(\) expects a tensor with <= 2 dimensions|start_dim cannot come after end_dim",
        "FL705",
        (
            "permute names every axis once; t() is for matrices; flatten goes from an axis to a later one.",
            "transpose(a, b) exchanges two axes whatever the others are: transpose(0, 1) time and batch, "
            "transpose(1, 2) the last two of three.",
        ),
        (
            "permute 要把每个轴写一次；t() 只用于矩阵；flatten 从一个轴到后面的轴。",
            "transpose(a, b) 交换任意两个轴：transpose(0, 1) 交换时间和批，transpose(1, 2) 交换三轴中的后两个。",
        ),
    ),
    cause(
        r"index out of range in self|INDICES element is out of DATA bounds|Class values must be smaller than "
        r"num_classes|Target \d+ is out of bounds|device-side assert triggered",
        "",
        (
            "A token id is not below num_embeddings of the Embedding, or a class not below the number of logits (or "
            "one is "
            "negative).",
            "nn.Embedding(largest id + 1, ...), padding and unknown tokens counted; nn.Linear(..., largest class + 1).",
        ),
        (
            "词的编号没有小于 Embedding 的 num_embeddings，或者类别没有小于 logits 的个数（或者有负数）。",
            "nn.Embedding(最大编号 + 1, ...)，填充词和未知词也算在内；nn.Linear(..., 最大类别 + 1)。",
        ),
    ),
    cause(
        r"too many indices for tensor of dimension (?P<n>\d+)|index -?\d+ is out of bounds for dimension \d+|"
        r"exceeds dimension size|maximum size for tensor at dimension",
        "FL705",
        (
            "An index for each of too many axes, or one that is not below the size of its axis.",
            "h_n has layers*directions entries on axis 0; for time and batch see where batch_first puts them.",
        ),
        (
            "索引的轴太多，或者索引没有小于该轴的大小。",
            "h_n 第 0 轴有 层数*方向数 个；时间和批在哪个轴，看 batch_first。",
        ),
    ),
    cause(
        r"split_with_sizes expects split_sizes to sum exactly|Halving dimension must be even",
        "FL706",
        (
            "The sizes given to split do not sum to the size of the axis.",
            "chunk(n, dim) for equal parts; a bidirectional output has 2*hidden features.",
        ),
        (
            "split 的各段之和不等于该轴的大小。",
            "等分用 chunk(n, dim)；双向层的输出有 2*hidden 个特征。",
        ),
    ),
    cause(
        r"(?P<fn>\w+)\(\): argument 'size' failed to unpack the object at pos (?P<pos>\d+)|"
        r"argument 'size' must be tuple of ints",
        "FL710",
        (
            "A size is not a whole number: x.size() and x.shape are all sizes at once, and / makes a float.",
            "torch.zeros(num_layers, x.size(0), hidden_size); // to divide.",
        ),
        (
            "大小不是整数：x.size() 和 x.shape 是全部大小，而 / 得到浮点数。",
            "torch.zeros(num_layers, x.size(0), hidden_size)；除法用 //。",
        ),
    ),
    cause(
        r"with (?P<n>\d+) elements cannot be converted to Scalar|only one element tensors can be converted|"
        r"Boolean value of Tensor with more than one value is ambiguous",
        "",
        (
            "A tensor of many numbers was used as one number or as a condition.",
            "torch.stack(list) for tensors in a list; .any() or .all() in a condition; [-1].item() for one of them.",
        ),
        (
            "把多个数的张量当成了一个数或一个条件。",
            "列表里的张量用 torch.stack(列表)；条件用 .any() 或 .all()；取其中一个用 [-1].item()。",
        ),
    ),
)
