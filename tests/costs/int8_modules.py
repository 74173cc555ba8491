"""Small modules, one for each rule of the int8 graph, and for each case that has no rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (everybody's name for it)
from torch import Tensor, nn


class Example(NamedTuple):
    """A module and the shape of its input."""

    module: Callable[[], nn.Module]
    input_shape: tuple[int, ...] = (1, 8, 8, 8)


class Runs(nn.Module):
    """Runs a function of itself, which may use the modules a, b, c and d, and the input."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


class Sum(nn.Module):
    """Adds what several modules make of one input."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.modules_ = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (module(x) for module in self.modules_)
        total: Tensor = sum(others, start=first)
        return total


def pointwise(out: int = 8, in_: int = 8) -> nn.Conv2d:
    return nn.Conv2d(in_, out, 1)


def between(*modules: nn.Module) -> nn.Module:
    """Return the modules between two pointwise convolutions of 8 channels."""
    return nn.Sequential(pointwise(), *modules, pointwise())


def conv(kernel: int, stride: int, padding: Any, dilation: int = 1, groups: int = 1) -> nn.Module:
    return nn.Conv2d(8, 8, kernel, stride, padding, dilation, groups)


def depthwise(kernel: int, stride: int, padding: Any, dilation: int = 1) -> nn.Module:
    return conv(kernel, stride, padding, dilation, groups=8)


def padded(sides: tuple[int, ...], value: float = 0) -> nn.Module:
    return Runs(lambda _self, x: F.pad(x, sides, value=value))


def after_two(join: Callable[[Tensor, Tensor], Tensor], channels: int = 8) -> nn.Module:
    return Runs(
        lambda self, x: self.c(join(self.a(x), self.b(x))),
        a=pointwise(),
        b=pointwise(),
        c=pointwise(in_=channels),
    )


def with_itself(act: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a module that adds what an operation takes to what the operation makes."""
    return nn.Sequential(pointwise(), Runs(lambda _self, x: act(x) + x), pointwise())


def after_shared(join: Callable[[Any, Tensor], Tensor], b: nn.Module, c: nn.Module) -> nn.Module:
    """Return a module whose first convolution makes what ``join`` gives to b and c."""
    return Runs(lambda self, x: join(self, self.a(x)), a=pointwise(), b=b, c=c)


def gated(*, is_linear: bool, gate: Callable[[Tensor], Tensor] = torch.sigmoid) -> nn.Module:
    """Return squeeze-and-excitation, of 1×1 convolutions or of linear layers."""

    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.a(x)
        z = F.adaptive_avg_pool2d(y, 1)
        z = gate(self.d(F.relu(self.c(z.flatten(1) if is_linear else z))))
        return self.b(y * (z.view(1, 8, 1, 1) if is_linear else z))  # type: ignore[no-any-return]

    inner = (nn.Linear(8, 4), nn.Linear(4, 8)) if is_linear else (pointwise(4), pointwise(8, 4))
    return Runs(forward, a=pointwise(), b=pointwise(), c=inner[0], d=inner[1])


def pooled(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(
        pointwise(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), *modules
    )


def _square(side: int) -> tuple[int, ...]:
    return (1, 8, side, side)


_ACTS: Final = (
    *(nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.LeakyReLU, nn.Identity, nn.Sigmoid, nn.Tanh),
    *(nn.Hardtanh, nn.GELU, nn.ELU, nn.Mish, nn.Hardsigmoid, nn.PReLU, nn.Softplus),
)
_CONVS: Final = tuple(
    (kernel, stride, dilation, (1, 8, height, width))
    for kernel, stride, dilation, height, width in (
        *((3, 1, 1, 8, 8), (3, 2, 1, 8, 8), (3, 2, 1, 9, 9), (3, 2, 1, 8, 9), (5, 2, 1, 8, 8)),
        *((5, 2, 1, 9, 9), (7, 2, 1, 16, 16), (3, 1, 2, 8, 8), (3, 2, 2, 8, 8), (3, 2, 2, 9, 9)),
        *((3, 1, 1, 2, 2), (3, 2, 1, 2, 2), (3, 2, 1, 1, 1), (3, 1, 1, 1, 1), (5, 1, 1, 2, 2)),
        *((3, 2, 1, 1, 4), (3, 3, 1, 9, 9), (3, 3, 1, 8, 8), (3, 2, 1, 3, 3)),
    )
)


def _act_example(act: type[nn.Module]) -> Example:
    return Example(
        lambda: nn.Sequential(
            nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), act(), pointwise(in_=16)
        )
    )


def _conv_examples() -> Mapping[str, Example]:
    return {
        f"{make.__name__} {kernel} stride {stride} dilation {dilation} on "
        f"{shape[2]}x{shape[3]}": Example(
            lambda make=make, kernel=kernel, stride=stride, dilation=dilation: make(  # type: ignore[misc]
                kernel, stride, dilation * (kernel - 1) // 2, dilation
            ),
            shape,
        )
        for kernel, stride, dilation, shape in _CONVS
        for make in (conv, depthwise)
    }


def _pad_examples() -> Mapping[str, Example]:
    cases = (
        *((((0, 1, 0, 1), 3, 8, 8)), ((1, 1, 1, 1), 3, 8, 8), ((1, 1, 1, 1), 3, 9, 9)),
        *(((0, 1, 1, 1), 3, 9, 8), ((1, 1, 0, 1), 3, 8, 9), ((0, 2, 0, 2), 3, 8, 8)),
        ((1, 2, 1, 2), 5, 8, 8),
    )
    return {
        f"pad {sides}, depthwise {kernel} stride 2 on {height}x{width}": Example(
            lambda sides=sides, kernel=kernel: nn.Sequential(  # type: ignore[misc]
                pointwise(), padded(sides), depthwise(kernel, 2, 0)
            ),
            (1, 8, height, width),
        )
        for sides, kernel, height, width in cases
    }


def around_pool(after: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> Example:
    """Return a module that does something with a pooled map of 8 channels of 1x1."""
    return Example(
        lambda: Runs(
            lambda self, x: after(self, F.adaptive_avg_pool2d(self.a(x), 1)),
            a=pointwise(),
            **modules,
        )
    )


def cat_of(make: Callable[[Any, Tensor], Sequence[Tensor]], channels: int = 16) -> Example:
    """Return a module with a concatenation of what it makes of modules a, b and d."""
    return Example(
        lambda: Runs(
            lambda self, x: self.c(torch.cat(list(make(self, x)), 1)),
            a=pointwise(),
            b=pointwise(),
            c=pointwise(in_=channels),
            d=pointwise(),
        )
    )


def _pads(self: Any, x: Tensor) -> list[Tensor]:
    return [F.pad(self.a(x), (1, 1, 1, 1)), F.pad(self.b(x), (1, 1, 1, 1))]


_SHARED_PADS: Final = {
    "pad of what two need": Example(
        lambda: after_shared(
            lambda self, x: self.b(F.pad(x, (1, 1, 1, 1))) + self.c(x), conv(3, 2, 0), conv(3, 2, 1)
        )
    ),
    "SAME pad of what two need": Example(
        lambda: after_shared(
            lambda self, x: self.b(F.pad(x, (0, 1, 0, 1))) + self.c(x),
            depthwise(3, 2, 0),
            conv(1, 2, 0),
        )
    ),
    "pad for two": Example(
        lambda: nn.Sequential(
            pointwise(), padded((1, 1, 1, 1)), Sum(conv(3, 1, 0), depthwise(3, 1, 0))
        )
    ),
    "pad, average": Example(lambda: between(padded((0, 1, 0, 1)), nn.AvgPool2d(2, 1))),
    "pad last": Example(lambda: nn.Sequential(pointwise(), padded((1, 1, 1, 1)))),
}
_CATS: Final = {
    "cat of what two need": Example(
        lambda: after_shared(
            lambda self, x: self.c(torch.cat([x, self.b(x)], 1)), pointwise(), pointwise(in_=16)
        )
    ),
    "cat of cat": cat_of(
        lambda self, x: (torch.cat([self.a(x), self.b(x)], 1), self.d(x)), channels=24
    ),
    "cat of a maximum": cat_of(lambda self, x: (self.a(x), F.max_pool2d(self.b(x), 3, 1, 1))),
    "cat of averages": cat_of(
        lambda self, x: (F.avg_pool2d(self.a(x), 2), F.avg_pool2d(self.b(x), 2))
    ),
    "cat of a gate": cat_of(lambda self, x: (torch.sigmoid(self.a(x)), self.b(x))),
    "cat of the input": cat_of(lambda self, x: (x, self.b(self.a(x)))),
    "cat of Hardswish and add": cat_of(
        lambda self, x: (F.hardswish(self.a(x)), self.b(x) + self.d(x))
    ),
    "cat of SiLU": cat_of(lambda self, x: (F.silu(self.a(x)), self.b(x))),
    "cat of LeakyReLU": cat_of(lambda self, x: (F.leaky_relu(self.a(x)), self.b(x))),
    "cat of itself": cat_of(lambda self, x: [self.b(self.a(x))] * 2),
    "cat of ReLU6": cat_of(lambda self, x: (F.relu6(self.a(x)), F.relu6(self.b(x)))),
    "cat of pads": cat_of(_pads),
}
_FEATURES: Final = {
    "flatten after a convolution of 1x1": around_pool(
        lambda self, y: self.c(F.hardswish(self.b(y)).flatten(1)), b=pointwise(), c=nn.Linear(8, 4)
    ),
    "flatten last": around_pool(lambda self, y: self.b(y).flatten(1), b=pointwise()),
    "flatten of many channels last": Example(
        lambda: nn.Sequential(pointwise(1000), nn.Flatten()), _square(1)
    ),
    "flatten, ReLU last": around_pool(lambda self, y: F.relu(self.b(y).flatten(1)), b=pointwise()),
    "flatten for two": around_pool(
        lambda self, y: self.c(self.b(y).flatten(1)),
        b=pointwise(),
        c=Sum(nn.Linear(8, 4), nn.Linear(8, 4)),
    ),
    "pool, flatten for a linear layer and the result": around_pool(
        lambda self, y: self.b(y.flatten(1)) + y.flatten(1), b=nn.Linear(8, 8)
    ),
    "pool of one channel, flatten last": Example(
        lambda: nn.Sequential(pointwise(1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    ),
    "flatten of one channel, linear": around_pool(
        lambda self, y: self.c(self.b(y).flatten(1)), b=pointwise(1), c=nn.Linear(1, 4)
    ),
    "unflatten of one channel, mul": around_pool(
        lambda self, y: self.b(torch.sigmoid(self.c(y.flatten(1))).view(1, 1, 1, 1) * y),
        b=pointwise(),
        c=nn.Linear(8, 1),
    ),
    "flatten of a column": Example(
        lambda: nn.Sequential(pointwise(1), nn.Conv2d(1, 1, (1, 8)), nn.Flatten(), nn.Linear(8, 4))
    ),
    "unflatten last": around_pool(
        lambda self, y: self.b(y.flatten(1)).view(1, 4, 1, 1), b=nn.Linear(8, 4)
    ),
    "unflatten, convolution": around_pool(
        lambda self, y: self.c(self.b(y.flatten(1)).view(1, 8, 1, 1)),
        b=nn.Linear(8, 8),
        c=pointwise(),
    ),
    "pool, flatten last": around_pool(lambda _self, y: y.flatten(1)),
    "pool, flatten, ReLU last": around_pool(lambda _self, y: F.relu(y.flatten(1))),
    "dropout after flatten": around_pool(
        lambda self, y: self.b(F.dropout(y.flatten(1), training=False)), b=nn.Linear(8, 4)
    ),
    "pool of one channel, linear": Example(
        lambda: nn.Sequential(pointwise(1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 4))
    ),
    "pool of one channel, linear without bias": Example(
        lambda: nn.Sequential(
            pointwise(1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 4, bias=False)
        )
    ),
    "linear of one feature": Example(lambda: pooled(nn.Linear(4, 1), nn.Linear(1, 4))),
    "linear of one feature without bias": Example(
        lambda: pooled(nn.Linear(4, 1), nn.Linear(1, 4, bias=False))
    ),
    "linear of one feature without bias, ReLU": Example(
        lambda: pooled(nn.Linear(4, 1), nn.Linear(1, 4, bias=False), nn.ReLU(), nn.Linear(4, 4))
    ),
    "linear from one feature to one": Example(
        lambda: pooled(nn.Linear(4, 1), nn.Sigmoid(), nn.Linear(1, 1, bias=False))
    ),
    "linear from one feature to one after linear": Example(
        lambda: pooled(nn.Linear(4, 1), nn.Linear(1, 1, bias=False))
    ),
}


EXAMPLES: Final[Mapping[str, Example]] = {
    **{f"{act.__name__} after BatchNorm": _act_example(act) for act in _ACTS},
    **_conv_examples(),
    **_pad_examples(),
    "pad, convolution with a padding": Example(
        lambda: nn.Sequential(pointwise(), padded((0, 1, 0, 0)), depthwise(3, 2, (1, 0))),
        (1, 8, 9, 8),
    ),
    "pad of another number": Example(
        lambda: nn.Sequential(pointwise(), padded((0, 1, 0, 1), 1.0), depthwise(3, 2, 0))
    ),
    "no padding": Example(lambda: nn.Sequential(conv(3, 1, 0), conv(3, 2, 0)), _square(9)),
    "padding by the word same": Example(
        lambda: nn.Sequential(conv(3, 1, "same"), conv(2, 1, "same")), _square(9)
    ),
    "padding of one side alone": Example(lambda: between(conv(3, 1, (0, 1)))),
    "padding larger than SAME": Example(lambda: between(conv(3, 1, 2))),
    "two groups": Example(lambda: between(conv(3, 2, 1, groups=2))),
    "two outputs a channel": Example(
        lambda: nn.Sequential(pointwise(), nn.Conv2d(8, 16, 3, 1, 1, groups=8), pointwise(in_=16))
    ),
    "transposed convolution": Example(lambda: between(nn.ConvTranspose2d(8, 8, 2, 2))),
    "ReLU first": Example(lambda: nn.Sequential(nn.ReLU(), pointwise())),
    "ReLU6 first": Example(lambda: nn.Sequential(nn.ReLU6(), pointwise())),
    "Hardswish first": Example(lambda: nn.Sequential(nn.Hardswish(), pointwise())),
    "ReLU6 last": Example(lambda: nn.Sequential(pointwise(), nn.ReLU6())),
    "LeakyReLU last": Example(lambda: nn.Sequential(pointwise(), nn.LeakyReLU())),
    "SiLU last": Example(lambda: nn.Sequential(pointwise(), nn.SiLU())),
    "LeakyReLU twice": Example(lambda: between(nn.LeakyReLU(), conv(3, 2, 1), nn.LeakyReLU())),
    "LeakyReLU for two": Example(
        lambda: between(nn.LeakyReLU(), Runs(lambda self, x: x + self.a(x), a=pointwise()))
    ),
    "ReLU, then ReLU6": Example(lambda: between(nn.ReLU(), nn.ReLU6())),
    "ReLU, then ReLU": Example(lambda: between(nn.ReLU(), nn.ReLU())),
    "ReLU of what two need": Example(lambda: with_itself(F.relu)),
    "LeakyReLU of what two need": Example(lambda: with_itself(F.leaky_relu)),
    "ReLU after add": Example(lambda: after_two(lambda x, y: F.relu(x + y))),
    "ReLU6 after sub": Example(lambda: after_two(lambda x, y: F.relu6(x - y))),
    "ReLU6 after mul": Example(lambda: after_two(lambda x, y: F.relu6(x * y))),
    "ReLU6 after cat": Example(lambda: after_two(lambda x, y: F.relu6(torch.cat([x, y], 1)), 16)),
    "ReLU after linear": Example(lambda: pooled(nn.ReLU(), nn.Linear(4, 4))),
    "Softmax after linear": Example(lambda: pooled(nn.Softmax(1))),
    "ReLU6 after pool": Example(lambda: between(nn.MaxPool2d(2), nn.ReLU6())),
    "ReLU after average pool": Example(lambda: between(nn.AvgPool2d(2), nn.ReLU())),
    "add of two ReLUs": Example(lambda: after_two(lambda x, y: F.relu(x) + F.relu(y))),
    "add of the input": Example(lambda: Runs(lambda self, x: x + self.a(x), a=pointwise())),
    "add of a number": Example(lambda: between(Runs(lambda _self, x: x + 1.0))),
    "cat": Example(lambda: after_two(lambda x, y: torch.cat([x, y], 1), 16)),
    "BatchNorm first": Example(lambda: nn.Sequential(nn.BatchNorm2d(8), pointwise())),
    "BatchNorm after add": Example(
        lambda: nn.Sequential(
            Runs(lambda self, x: x + self.a(x), a=pointwise()), nn.BatchNorm2d(8), pointwise()
        )
    ),
    "BatchNorm after ReLU": Example(lambda: between(nn.ReLU(), nn.BatchNorm2d(8))),
    "BatchNorm twice": Example(lambda: between(nn.BatchNorm2d(8), nn.BatchNorm2d(8))),
    "BatchNorm of what two need": Example(
        lambda: between(Runs(lambda self, x: self.a(x) + x, a=nn.BatchNorm2d(8)))
    ),
    "BatchNorm last": Example(lambda: nn.Sequential(pointwise(), nn.BatchNorm2d(8))),
    **{f"pool of {side}x{side}": Example(pooled, _square(side)) for side in (1, 2, 3, 4, 5, 7, 8)},
    "pool of 2x3": Example(pooled, (1, 8, 2, 3)),
    "pool of a batch": Example(pooled, (2, 8, 8, 8)),
    "pool, no flatten": Example(lambda: between(nn.AdaptiveAvgPool2d(1))),
    "pool of the input": Example(
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    ),
    "pool to 2x2": Example(lambda: between(nn.AdaptiveAvgPool2d(2))),
    "maximum of 3x3": Example(lambda: between(nn.MaxPool2d(3, 2, 1))),
    "maximum of 3x3 on 9x9": Example(lambda: between(nn.MaxPool2d(3, 2, 1)), _square(9)),
    "maximum of 2x2 on 9x9": Example(lambda: between(nn.MaxPool2d(2)), _square(9)),
    "maximum first": Example(lambda: nn.Sequential(nn.MaxPool2d(2), pointwise())),
    "average of 2x2 on 9x9": Example(lambda: between(nn.AvgPool2d(2)), _square(9)),
    "average with a padding": Example(lambda: between(nn.AvgPool2d(3, 1, 1))),
    "gate of convolutions": Example(lambda: gated(is_linear=False)),
    "gate of linear layers": Example(lambda: gated(is_linear=True)),
    "gate by Hardsigmoid": Example(lambda: gated(is_linear=False, gate=F.hardsigmoid)),
    "gate of 1x1": Example(lambda: gated(is_linear=False), _square(1)),
    "gate by Hardsigmoid of 1x1": Example(
        lambda: gated(is_linear=False, gate=F.hardsigmoid), _square(1)
    ),
    "Hardsigmoid, depthwise": Example(lambda: between(nn.Hardsigmoid(), depthwise(3, 1, 1))),
    "Hardsigmoid, pad, depthwise": Example(lambda: between(nn.Hardsigmoid(), depthwise(3, 2, 1))),
    "Hardsigmoid last": Example(lambda: nn.Sequential(pointwise(), nn.Hardsigmoid())),
    "Hardsigmoid first": Example(lambda: nn.Sequential(nn.Hardsigmoid(), pointwise())),
    "Hardsigmoid of what two need": Example(lambda: with_itself(F.hardsigmoid)),
    "Hardsigmoid after add": Example(lambda: after_two(lambda x, y: F.hardsigmoid(x + y))),
    "Hardsigmoid, linear": Example(lambda: pooled(nn.Hardsigmoid(), nn.Linear(4, 4))),
    "linear on a map": Example(
        lambda: nn.Sequential(pointwise(), nn.Flatten(), nn.Linear(8 * 64, 4))
    ),
    "Dropout": Example(lambda: between(nn.Dropout(0.5))),
    "Upsample": Example(lambda: between(nn.Upsample(scale_factor=2))),
    "a result that nothing needs": Example(
        lambda: Runs(
            lambda self, x: (self.c(x), self.b(self.a(x)))[1],
            a=pointwise(),
            b=pointwise(),
            c=pointwise(),
        )
    ),
    **_SHARED_PADS,
    **_CATS,
    **_FEATURES,
}
