"""Networks without normalization (McDonnell et al. 2019): what stands where a batch norm stood.

sReLU (Eq. 5) is max(-1, x); ELU (Eq. 4) its costlier peer; the last batch norm becomes a constant scale 1/T, which is a
softmax temperature (Eq. 6). None has statistics, so training and inference are the same. The datapath of the scale
writes y in y's format, those of sReLU in x's.
"""

from __future__ import annotations

from hwnorm.ir import Graph, cast, const, elem, exp, layer, maximum, named, select
from hwnorm.norms import gradients
from hwnorm.norms.datapath import data_range
from hwnorm.norms.form import Form

MINUS_ONE = layer("minus_one", lambda g: -g.one, bound=lambda b, m: (data_range(b, m)[0], -1))
INVERSE_TEMPERATURE = layer("inverse_temperature", lambda g: 1 / (g.temperature * g.one), "kappa")


def srelu_printed_forward() -> Graph:
    return Graph("srelu forward, as printed", {"y": maximum(elem("x"), MINUS_ONE)})


def srelu_printed_backward() -> Graph:
    return Graph("srelu backward, as printed", {"dx": select(elem("x") > MINUS_ONE, elem("dy"), 0)})


def srelu_forward() -> Graph:
    return Graph("srelu forward", {"y": cast(maximum(elem("x"), MINUS_ONE), "centred")})


def srelu_backward() -> Graph:
    return Graph("srelu backward", {"dx": cast(select(elem("x") > MINUS_ONE, elem("dy"), 0), "centred")})


def elu_forward() -> Graph:
    x = elem("x")
    return Graph("elu forward, as printed", {"y": named("y", select(x > 0, x, exp(x) - 1))})


def elu_backward() -> Graph:
    dy = elem("dy")
    return Graph("elu backward, as printed", {"dx": select(elem("x") > 0, dy, dy * (elem("y", "saved") + const(1)))})


def scale_printed_forward() -> Graph:
    return Graph("scale forward, as printed", {"y": elem("x") * INVERSE_TEMPERATURE})


def scale_printed_backward() -> Graph:
    return Graph("scale backward, as printed", {"dx": elem("dy") * INVERSE_TEMPERATURE})


def scale_forward() -> Graph:
    K = named("K", cast(INVERSE_TEMPERATURE, "gain"))
    return Graph("scale forward", {"y": cast(K * elem("x"), "y"), "K": K})


def scale_backward() -> Graph:
    K = named("Kd", cast(cast(INVERSE_TEMPERATURE, "gain"), "dx_gain"))
    return Graph("scale backward", {"dx": cast(K * gradients.incoming(per_element=False).g, "dx")})


SRELU_PRINTED = Form(srelu_printed_forward, srelu_printed_backward, srelu_printed_forward)
SRELU_FORMS = {"clip": Form(srelu_forward, srelu_backward, srelu_forward)}
ELU_PRINTED = Form(elu_forward, elu_backward, elu_forward)
SCALE_PRINTED = Form(scale_printed_forward, scale_printed_backward, scale_printed_forward)
SCALE_FORMS = {"constant": Form(scale_forward, scale_backward, scale_forward)}
