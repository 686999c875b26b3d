"""An instruction that Python has no word for: bytes start on their way from memory long before they are needed."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, mode


def prefetch(array: Any, at: Int, byte: Int) -> None:
    """Have the cache line of a byte of `array[at]` fetched: nothing is read, and nothing waits. In plain Python, nothing."""


if mode() in ("jit", "checked"):
    import analyzer.accelerate.guarded  # noqa: F401, I001 before anything imports numba
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    READ, FIRST_LEVEL, DATA = 0, 3, 1  # what LLVM's `prefetch` is told

    @intrinsic
    def prefetch(typing: Any, array: Any, at: Any, byte: Any) -> Any:
        """The same for kernels."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            function = builder.module.declare_intrinsic(
                "llvm.prefetch", [address], ir.FunctionType(ir.VoidType(), [address, number, number, number])
            )
            row = builder.bitcast(builder.gep(data, [arguments[1]]), address)
            where = builder.gep(row, [arguments[2]])
            builder.call(function, [where, number(READ), number(FIRST_LEVEL), number(DATA)])
            return context.get_dummy_value()

        return types.void(array, at, byte), emit
