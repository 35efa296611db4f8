"""Virtual samples and a sample of the real ones, mixed (Chen et al. 2018, Eq. 4): X = share * X_v + (1 - share) * X_s.

X is the mean or the variance; each variance is taken about its own mean. Counted, not built: VDN alone and every other
sampling are one mask, and run on the ordinary datapaths.
"""

from __future__ import annotations

from fractions import Fraction

from hwnorm.ir import Graph, Node, elem, layer, mask, named, root, select, square, stat, total
from hwnorm.norms import printed
from hwnorm.norms.form import Form

SHARE = layer("share", lambda g: g.share, "real")
REST = layer("rest_share", lambda g: 1 - g.share, "real")
INV_V = layer("inv_v", lambda g: Fraction(1, g.v), "real")
INV_S = layer("inv_s", lambda g: Fraction(1, g.s), "real")
PARTS = ((mask("virtual", "v"), INV_V, SHARE, "v"), (mask("sampled", "s"), INV_S, REST, "s"))


def moments(x: Node, flag: Node, inverse: Node, symbol: str) -> tuple[Node, Node]:
    mean = named(f"mu_{symbol}", total(select(flag, x, 0)) * inverse)
    return mean, total(select(flag, square(x - mean), 0)) * inverse


def forward() -> Graph:
    x = elem("x")
    (mu_v, var_v), (mu_s, var_s) = (moments(x, flag, inverse, symbol) for flag, inverse, _, symbol in PARTS)
    mu = named("mu", SHARE * mu_v + REST * mu_s)
    sigma = named("sigma", root(SHARE * var_v + REST * var_s + printed.EPS))
    xhat = named("xhat", (x - mu) / sigma)
    outputs = printed.affine(xhat, sigma, per_element=False)
    return Graph("mixed forward, as printed", outputs | {"mu_v": mu_v, "mu_s": mu_s})


def backward() -> Graph:
    """As Sampling Eq. 6, each part with its share: the mean path is equal for all of a part, the variance path follows
    the element's distance from the part's own mean."""
    x, b = elem("x"), printed.Backward(per_element=False)
    sum_g = total(b.g)
    pull = total(b.g * b.xhat) / b.sigma
    through: Node | None = None
    for flag, inverse, share, symbol in PARTS:
        weight = share * inverse
        path = select(flag, sum_g * weight + (x - stat(f"mu_{symbol}", "saved")) * (pull * weight), 0)
        through = path if through is None else through + path
    assert through is not None
    return Graph("mixed backward, as printed", {"dx": (b.g - through) / b.sigma, **b.parameters})


PRINTED = Form(forward, backward)
