"""The half of Numba that kernels need: a Python function's types and LLVM's text of it, without Numba's optimising.

Numba links every function with all that it calls, optimises it, emits machine code of it and loads that, for whoever
may call it from Python. Ours are called by each other only, and are linked and optimised once, in the object that they
go into (`build.py`): a third of the time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import CodeLibrary
from numba.core.compiler import CompilerBase, compile_result
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.funcdesc import PythonFunctionDescriptor
from numba.core.lowering import Lower
from numba.core.runtime import rtsys
from numba.core.typing import signature

_STEPS = tuple(
    step()
    for step in (
        untyped_passes.TranslateByteCode,
        untyped_passes.FixupArgs,
        untyped_passes.IRProcessing,
        typed_passes.NopythonTypeInference,
    )
)
"""What is done to a function before it is lowered. Numba has twenty more, for what kernels do not have: closures,
exceptions, NumPy's arrays and functions, counted references, variables that change their type."""


class Text(CodeLibrary):
    """LLVM's text of a function, and those of the functions that it calls."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.text = ""
        self.calls: list[CodeLibrary] = []

    def create_ir_module(self, name: str) -> ir.Module:
        """Without a triple, so that LLVM, which may be at work in another thread, is not asked for it."""
        return ir.Module(name)

    def add_ir_module(self, ir_module: ir.Module) -> None:
        self.text = str(ir_module)

    def add_linking_library(self, library: CodeLibrary) -> None:
        if library is not rtsys.library:  # of counted references
            self.calls.append(library)

    def finalize(self) -> None:
        """Nothing is made of the text here."""
        self._finalized = True

    def get_function(self, name: str) -> Any:
        raise NotImplementedError("this is text")

    def get_llvm_str(self) -> str:
        return self.text

    def get_asm_str(self) -> str:
        raise NotImplementedError("this is text")


@register_pass(mutates_CFG=True, analysis_only=False)
class _ToText(LoweringPass):
    """All that is done to a function, as one pass: after each one Numba looks everything over again."""

    _name = "fastlstm_to_text"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        for step in _STEPS:
            step.run_pass(state)
        context, flags = state.targetctx, state.flags
        # Asked of LLVM for each variable that is assigned twice. The context is a copy, for this function.
        context.get_abi_sizeof = cache(context.get_abi_sizeof)
        library = Text(context.codegen(), state.func_id.func_qualname)
        described = PythonFunctionDescriptor.from_specialized_function(
            state.func_ir, state.typemap, state.return_type, state.calltypes, mangler=context.mangler,
            inline=flags.forceinline, noalias=flags.noalias, abi_tags=[flags.get_mangle_string()],
        )  # fmt: skip
        with context.push_code_library(library):
            Lower(context, library, described, state.func_ir, metadata=state.metadata).lower()
        # Stands for the function in Numba's tables, which take a builtin function of CPython's. Nobody calls it.
        entry = [].append
        context.insert_user_function(entry, described, [library])
        state.cr = compile_result(
            typing_context=state.typingctx, target_context=context, entry_point=entry, library=library,
            signature=signature(state.return_type, *state.args), objectmode=False, lifted=state.lifted,
            fndesc=described,
        )  # fmt: skip
        return True


class _Frontend(CompilerBase):
    def define_pipelines(self) -> list[PassManager]:
        manager = PassManager("fastlstm")
        manager.add_pass(_ToText, "from Python to LLVM's text")
        manager.finalize()
        return [manager]


# nogil: workers run beside each other. error_model: no division checks. No fastmath: it would assume away NaN and
# infinity; the vector IR asks for contraction where it wants it.
inner = njit(pipeline_class=_Frontend, nogil=True, error_model="numpy", boundscheck=False, _nrt=False)
"""Decorator for functions called by kernels: part of each object whose kernels call them."""
