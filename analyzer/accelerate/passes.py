"""numba's front end, with fewer passes: what no kernel holds is not looked for in each of a thousand functions.

A kernel has no closures, comprehensions or `with`, and makes no arrays. numba looks for each of them in passes of their own,
prepares the function before and cleans up behind every one; and it notes where each variable dies, to count references,
which kernels have none of. A function that does hold a closure gets all passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any
from unittest.mock import patch

from analyzer.accelerate import guarded  # noqa: F401 before anything imports numba

from numba.core import compiler, compiler_machinery, interpreter, ir_utils, postproc, transforms, typed_passes  # isort: skip

# By name, as not every version of numba has all.
UNNEEDED = {
    "WithLifting",  # `with`
    "InlineClosureLikes",  # functions in functions, comprehensions, functools.reduce
    "MakeFunctionToJitFunction",  # likewise
    "RewriteDynamicRaises",  # exceptions with arguments that are no constants
    "InlineInlinables",  # functions that ask to be copied as Python; what `inline` asks for is done by LLVM
    "FindLiterallyCalls",  # numba.literally()
    "LiteralUnroll",  # numba.literal_unroll()
    "LiteralPropagationSubPipelinePass",  # likewise
    "NopythonRewrites",  # arithmetic on whole arrays, which makes new ones
    "NoPythonSupportedFeatureValidation",  # generators, and what numba is going to give up
    "DumpParforDiagnostics",  # parallel loops
}
# What the interpreter of bytecode mends afterwards comes from other instructions than these.
PLAIN = {
    "BINARY_OP", "BINARY_SLICE", "BINARY_SUBSCR", "BUILD_TUPLE", "CACHE", "CALL", "COMPARE_OP", "CONTAINS_OP", "COPY",
    "END_FOR", "EXTENDED_ARG", "FOR_ITER", "GET_ITER", "IS_OP", "JUMP_BACKWARD", "JUMP_FORWARD",
    "JUMP_IF_FALSE_OR_POP", "JUMP_IF_TRUE_OR_POP", "LOAD_ATTR", "LOAD_CONST", "LOAD_FAST", "LOAD_FAST_CHECK",
    "LOAD_FAST_LOAD_FAST", "LOAD_GLOBAL", "LOAD_SMALL_INT", "NOP", "POP_JUMP_BACKWARD_IF_FALSE",
    "POP_JUMP_BACKWARD_IF_TRUE", "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_FORWARD_IF_TRUE", "POP_JUMP_IF_FALSE",
    "POP_JUMP_IF_TRUE", "POP_TOP", "PRECALL", "PUSH_NULL", "RESUME", "RETURN_CONST", "RETURN_VALUE", "STORE_FAST",
    "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST", "STORE_SUBSCR", "SWAP", "TO_BOOL", "UNARY_INVERT",
    "UNARY_NEGATIVE", "UNARY_NOT", "UNPACK_SEQUENCE",
}  # fmt: skip


def fewer_passes() -> Iterator[Any]:
    """The patches under which numba goes over functions less often."""
    yield patch.object(compiler.DefaultPassBuilder, "define_nopython_pipeline", staticmethod(_pipeline))
    yield patch.object(compiler_machinery.PassManager, "_runPass", _run)
    yield patch.object(interpreter.Interpreter, "post_process", _mended)
    yield patch.object(postproc.PostProcessor, "run", _post_process)
    yield patch.object(transforms, "canonicalize_cfg", _canonical)
    yield patch.object(typed_passes, "check_and_legalize_ir", _legal)


_all_passes: Callable[..., Any] = compiler.DefaultPassBuilder.define_nopython_pipeline
_shorter: dict[tuple[Any, ...], Any] = {}


def _pipeline(state: Any, name: str = "nopython") -> Any:
    """The passes for a function: the same for all that hold no code but their own."""
    if any(isinstance(constant, CodeType) for constant in state.func_id.code.co_consts):
        return _all_passes(state, name)
    asked = name, state.flags.no_rewrites, state.flags.enable_ssa, state.func_ir is None
    if asked not in _shorter:
        manager = _shorter[asked] = _all_passes(state, name)
        manager.passes[:] = [each for each in manager.passes if each[0].__name__ not in UNNEEDED]
        manager.finalize()
    return _shorter[asked]


def _run(manager: Any, index: int, each: Any, state: Any) -> None:
    """One pass over a function, without the announcements, timers and checks around it."""
    each.analysis = manager._analysis
    each.run_initialization(state)
    each.run_pass(state)
    each.run_finalizer(state)
    if compiler_machinery._pass_registry.get(type(each)).mutates_CFG:
        state.func_ir.blocks = transforms.canonicalize_cfg(state.func_ir.blocks)


_mend: Callable[..., Any] = interpreter.Interpreter.post_process


def _mended(translator: Any, peepholes: list[Any], function: Any) -> Any:
    """A function that was translated from bytecode, with what takes more than one instruction put right."""
    if all(each.opname in PLAIN for each in translator.bytecode):
        return function
    return _mend(translator, peepholes, function)


_full: Callable[..., Any] = postproc.PostProcessor.run


def _post_process(processor: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
    """The graph of a function in its canonical form. When each variable lives is found out when somebody asks."""
    function = processor.func_ir
    if function.is_generator or emit_dels:
        _full(processor, emit_dels, extend_lifetimes)
        return
    function.blocks = transforms.canonicalize_cfg(function.blocks)
    function.variable_lifetime = postproc.VariableLifetime(function.blocks)
    function.generator_info = None


_make_canonical: Callable[..., Any] = transforms.canonicalize_cfg
_are_canonical: set[tuple[Any, ...]] = set()


def _canonical(blocks: dict[int, Any]) -> dict[int, Any]:
    """Blocks with one edge back in each loop. Those of a shape that was found to be so before are left as they are."""
    shape = _shape(blocks)
    if shape in _are_canonical:
        return blocks
    made: dict[int, Any] = _make_canonical(blocks)
    _are_canonical.add(_shape(made))
    return made


def _shape(blocks: dict[int, Any]) -> tuple[Any, ...]:
    """Which blocks lead where."""
    return tuple((label, *block.terminator.get_targets()) for label, block in blocks.items())


_check: Callable[..., Any] = ir_utils.check_and_legalize_ir


def _legal(function: Any, flags: Any) -> None:
    """The last check before a function is lowered. Where nothing counts references, nothing follows from where a variable dies."""
    if flags.nrt:
        _check(function, flags=flags)
        return
    ir_utils.enforce_no_phis(function)
    ir_utils.enforce_no_dels(function)
    postproc.PostProcessor(function).run()
