"""torch.compile, in one graph: values, gradients, and what may change from call to call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo import compiled_autograd
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import fastlstm.torch

I, H = 3, 5
B, T = 3, 6

# torch's own code deprecates itself when it is called.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def flat(result: Any) -> list[Tensor]:
    if isinstance(result, PackedSequence):
        return [result.data]
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


def compiled(module: torch.nn.Module, backend: str = "aot_eager", **options: Any) -> Any:
    return torch.compile(module, fullgraph=True, backend=backend, **options)


def results(call: Any, module: torch.nn.Module, *args: Any, **options: Any) -> list[Tensor]:
    """Outputs, states and the gradients of all parameters."""
    torch.manual_seed(0)
    found = flat(call(*args, **options))
    loss = torch.stack([(part * (n + 1)).sin().sum() for n, part in enumerate(found)]).sum()
    return [*[one.detach() for one in found], *torch.autograd.grad(loss, list(module.parameters()))]


def same(mine: list[Tensor], due: list[Tensor]) -> None:
    for one, other in zip(mine, due, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def batch() -> Tensor:
    return torch.randn(T, B, I, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def states(kind: str, count: int = 1) -> Any:
    h, c = torch.randn(2, count, B, H, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return (h, c) if kind == "LSTM" else h


def packed(enforce_sorted: bool) -> PackedSequence:
    lengths = torch.tensor([6, 4, 1] if enforce_sorted else [1, 6, 4])
    return pack_padded_sequence(batch(), lengths, enforce_sorted=enforce_sorted)


CALLS: dict[str, Callable[[str], tuple[Any, ...]]] = {
    "batch": lambda kind: (batch(),),
    "states": lambda kind: (batch(), states(kind)),
    "unbatched": lambda kind: (batch()[:, 0],),
    "packed": lambda kind: (packed(True),),
    "packed unsorted": lambda kind: (packed(False),),
    "packed, states": lambda kind: (packed(True), states(kind)),
    "packed unsorted, states": lambda kind: (packed(False), states(kind)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_in_one_graph(call: Callable[[str], tuple[Any, ...]], kind: str, twins: Any, kernel_calls: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64)
    mine = results(compiled(ours), ours, *call(kind))
    assert kernel_calls
    same(mine, results(theirs, theirs, *call(kind)))
    with torch.no_grad():
        same([*flat(compiled(ours)(*call(kind)))], [*flat(theirs(*call(kind)))])


@pytest.mark.slow
def test_every_layer_in_one_graph(kind: str, form: dict[str, Any], twins: Any, draw_input: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64, **form)
    x = draw_input(ours)
    same(results(compiled(ours), ours, x), results(theirs, theirs, x))


def test_reset_in_one_graph(kind: str, twins: Any) -> None:
    ours, _ = twins(kind, I, H, 2, dtype=torch.float64)
    reset = torch.rand(T, B) < 0.3
    same(results(compiled(ours), ours, batch(), reset=reset), results(ours, ours, batch(), reset=reset))


def test_dropout_in_one_graph(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, 2, dropout=0.5, dtype=torch.float64)
    same(results(compiled(ours, "eager"), ours, batch()), results(theirs, theirs, batch()))
    first, second = (compiled(ours)(batch())[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_cells_in_one_graph(cell: str, twins: Any, kernel_calls: Any) -> None:
    ours, theirs = twins(cell, I, H, dtype=torch.float64)
    same(results(compiled(ours), ours, batch()[0]), results(theirs, theirs, batch()[0]))
    assert kernel_calls


@pytest.mark.slow
def test_by_inductor(kind: str, twins: Any, kernel_calls: Any) -> None:
    """A model with other operators around the layer, trained for three steps, then with new weights."""
    ways = []
    for module in twins(kind, H, H, 2, dtype=torch.float64):
        torch.manual_seed(0)
        model = torch.nn.ModuleList([torch.nn.Linear(I, H, dtype=torch.float64), module])
        sgd = torch.optim.SGD(model.parameters(), 0.1)

        def forward(x: Tensor, model: Any = model) -> Tensor:
            return model[1](model[0](x).tanh())[0].relu()

        call = compiled(forward, "inductor") if isinstance(module, fastlstm.torch.compiling.Accelerated) else forward
        losses = []
        for _ in range(3):
            sgd.zero_grad()
            loss = call(batch()).pow(2).sum()
            loss.backward()
            sgd.step()
            losses.append(loss.detach())
        module.weight_hh_l0.data.mul_(2)
        ways.append([*losses, call(batch()).detach(), *[parameter.detach() for parameter in model.parameters()]])
    assert kernel_calls
    same(*ways)


@pytest.mark.slow
def test_other_sizes_later(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64)
    call = compiled(ours)
    for T, B in ((6, 3), (4, 3), (9, 2), (1, 1)):
        x = torch.randn(T, B, I, dtype=torch.float64)
        same(results(call, ours, x), results(theirs, theirs, x))


def test_weights_written_after_compiling_are_seen(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64)
    call = compiled(ours)
    for _ in range(3):
        with torch.no_grad():
            torch.testing.assert_close(call(batch())[0], theirs(batch())[0])
        for module in (ours, theirs):
            module.weight_hh_l0.data.mul_(1.5)


@pytest.mark.slow
def test_two_backwards_and_checkpoints_in_a_graph(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64)

    def checkpointed(module: torch.nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda x: checkpoint(lambda x: module(x)[0].sin(), x, use_reentrant=False)

    call = compiled(checkpointed(ours))  # type: ignore[arg-type]
    same(results(call, ours, batch()), results(checkpointed(theirs), theirs, batch()))
    loss = compiled(ours)(batch())[0].sum()
    once = torch.autograd.grad(loss, list(ours.parameters()), retain_graph=True)
    same(list(once), list(torch.autograd.grad(loss, list(ours.parameters()))))


def test_wrong_states_of_a_packed_batch_are_refused_in_a_graph(twins: Any) -> None:
    """The number of sequences lies in the numbers of batch_sizes, which a graph does not know."""
    ours, _ = twins("GRU", I, H, dtype=torch.float64)
    call = compiled(ours)
    call(packed(True), states("GRU"))
    with pytest.raises(ValueError, match="3 sequences"):
        call(packed(True), torch.zeros(1, 2, H, dtype=torch.float64))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # dynamo's look
def test_compiled_autograd(twins: Any) -> None:
    """The backward of an eager call, traced by dynamo."""
    ways = []
    for module in twins("GRU", I, H, dtype=torch.float64):
        loss = module(batch())[0].sin().sum()
        with compiled_autograd._enable(torch.compile(backend="eager")):
            loss.backward()
        ways.append([parameter.grad for parameter in module.parameters()])
    same(*ways)


def test_half_precision_in_a_graph(twins: Any) -> None:
    """torch's own operators, and nothing to warn of while a graph is made."""
    ours, theirs = twins("GRU", I, H)
    ours, theirs = ours.bfloat16(), theirs.bfloat16()
    torch.testing.assert_close(compiled(ours)(batch().bfloat16()), theirs(batch().bfloat16()))


def test_torchs_own_layers_are_refused_as_before() -> None:
    """What is lifted for our modules is lifted for no other."""
    compiled(fastlstm.torch.GRU(I, H))(batch().float())
    with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
        compiled(torch.nn.GRU(I, H))(batch().float())
    assert torch._dynamo.config.allow_rnn is False


IMPORTS = {
    "ours first": "import fastlstm.torch, torch._dynamo",
    "dynamo first": "import torch._dynamo, fastlstm.torch",
    "dynamo later": "import fastlstm.torch\nassert {'torch._dynamo', 'fastlstm.torch.graphs'}.isdisjoint(sys.modules)",
}


@pytest.mark.slow
@pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS)
def test_imports_in_any_order(imports: str, python: Any) -> None:
    code = f"""
import sys, torch
{imports}
module = fastlstm.torch.GRU(3, 5)
call = torch.compile(module, fullgraph=True, backend="eager")
assert torch.equal(call(torch.ones(2, 1, 3))[0], module(torch.ones(2, 1, 3))[0])
assert not [finder for finder in sys.meta_path if "fastlstm" in type(finder).__module__]
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
