"""Another instruction that Python has no word for: the highest bit of a number, without a loop."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, mode


def top_bit(value: Int) -> Int:
    """The number of the highest bit that is set, of a value above 0."""
    return int(value).bit_length() - 1


if mode() in ("jit", "checked"):
    import analyzer.accelerate.guarded  # noqa: F401, I001 before anything imports numba
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def top_bit(typing: Any, value: Any) -> Any:
        """The same for kernels."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            above = builder.ctlz(arguments[0], ir.IntType(1)(1))
            return builder.sub(ir.IntType(64)(63), above)

        return types.int64(types.int64), emit
