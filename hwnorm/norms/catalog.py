"""Every normalization that hwnorm knows: plain constants, each with its citation."""

from __future__ import annotations

from dataclasses import replace

from hwnorm.errors import did_you_mean
from hwnorm.norms import elementwise, fold, l1, l2, mean_only, mixed, range, standardization
from hwnorm.norms.form import Form, Norm

Forms = dict[str, Form]


def _folded(form: Form) -> Form:
    """Inference by running statistics: one scale and one shift, whatever the statistic was."""
    return replace(form, inference=fold.scale_shift)


def _folded_forms(forms: Forms) -> Forms:
    return {name: _folded(form) for name, form in forms.items()}


def _folded_printed(form: Form) -> Form:
    return replace(form, inference=fold.printed_scale_shift)


def _at_inference_too(form: Form) -> Form:
    """Statistics are taken of every input: inference is the forward pass."""
    return replace(form, inference=form.forward)


def _always(forms: Forms) -> Forms:
    return {name: _at_inference_too(form) for name, form in forms.items()}


# Batch norms

L2 = Norm(
    "l2",
    "batch norm: the root of the mean square",
    "L1BN Eq. 3-8; backward QuantBN Eq. 1",
    _folded_printed(l2.printed_form()),
    "two-pass",
    _folded_forms(l2.forms()),
)
L1 = Norm(
    "l1",
    "L1 batch norm: the mean absolute deviation",
    "L1BN Eq. 9-11, Eq. 15, Theorem 1",
    _folded_printed(l1.printed_form()),
    "abs",
    _folded_forms(l1.forms() | {"pivot": Form(l1.pivot_forward, l1.backward)}),
    eps_under_root=False,
)
RANGE = Norm(
    "range",
    "range batch norm: max - min",
    "Banner et al. 2018, after Sampling section 1",
    _folded_printed(range.printed_form()),
    forms=_folded_forms(range.forms()),
    eps_under_root=False,
)
MEAN_ONLY = Norm(
    "mean-only",
    "mean-only batch norm: y = x - mu + beta",
    "Salimans and Kingma 2016, after sReLU",
    mean_only.PRINTED,
    forms=mean_only.FORMS,
)

# Statistics of one sample, taken at inference too

LAYER = Norm(
    "layer",
    "layer norm: l2 over a sample's features",
    "Ba et al. 2016, after StdLoss; backward QuantBN Eq. 1",
    _at_inference_too(l2.printed_form(per_element=True)),
    "two-pass",
    _always(l2.forms(per_element=True)),
    "element",
)
LAYER_L1 = Norm(
    "layer-l1",
    "layer norm of an l1 statistic",
    "L1BN Eq. 9-11 and 15, over a sample's features",
    _at_inference_too(l1.printed_form(per_element=True)),
    "abs",
    _always(l1.forms(per_element=True)),
    "element",
    eps_under_root=False,
)
GROUP = Norm(
    "group",
    "group norm: l2 over a sample's channel group",
    "Wu and He 2018, after StdLoss and sReLU",
    _at_inference_too(l2.printed_form(per_element=True)),
    "two-pass",
    _always(l2.forms(per_element=True)),
    "element",
)
INSTANCE = Norm(
    "instance",
    "instance norm: l2 over one channel of one sample",
    "Ulyanov et al. 2016",
    _at_inference_too(l2.printed_form()),
    "two-pass",
    _always(l2.forms()),
)
RMS = Norm(
    "rms",
    "RMS norm: l2 without the mean",
    "Zhang and Sennrich 2019, Eq. 4",
    _at_inference_too(Form(l2.printed_rms_forward, l2.printed_rms_backward)),
    forms=_always({"one-pass": Form(l2.rms_forward, l2.rms_backward)}),
    affine="element",
)

# Sampled statistics: a batch norm that looks at s of the m elements

SAMPLINGS = {
    "ns": ("the first samples of the batch", "Sampling Algorithm 1"),
    "bs": ("consecutive samples from a random start", "Sampling Algorithm 1"),
    "fs": ("one patch of every feature map", "Sampling Algorithm 2"),
    "vdn": ("virtual samples in front of the batch", "Sampling Algorithm 3"),
}


def _sampled(base: Norm, printed: Form, forms: Forms) -> list[Norm]:
    return [
        replace(
            base,
            name=f"{base.name}-{kind}",
            summary=f"{base.name}, statistics of {what}",
            cite=f"{cite}; Eq. 3, backward Eq. 6",
            printed=_folded_printed(printed),
            forms=_folded_forms(forms),
            sampling=kind,
        )
        for kind, (what, cite) in SAMPLINGS.items()
    ]


SAMPLED = [
    *_sampled(L2, l2.printed_form(sampled=True), l2.forms(sampled=True)),
    *_sampled(L1, l1.printed_form(sampled=True), l1.forms(sampled=True)),
    *_sampled(RANGE, range.printed_form(sampled=True), range.forms(sampled=True)),
]
MIXED = Norm(
    "l2-fs-vdn",
    "l2, statistics of a patch and of virtual samples, mixed",
    "Sampling Eq. 4",
    _folded_printed(mixed.PRINTED),
    sampling="fs-vdn",
)

# In the place of a normalization

SRELU = Norm(
    "srelu",
    "no norm: BN-ReLU becomes max(-1, x), the last a constant scale",
    "sReLU Eq. 5",
    elementwise.SRELU_PRINTED,
    forms=elementwise.SRELU_FORMS,
    affine="none",
    final="scale",
)
FINAL_ONLY = replace(SRELU, name="final-only", summary="as srelu, but the last batch norm stays", final="l2")
ELU = Norm(
    "elu",
    "no norm: BN-ReLU becomes an exponential linear unit",
    "sReLU Eq. 4",
    elementwise.ELU_PRINTED,
    affine="none",
    final="scale",
)
SCALE = Norm(
    "scale",
    "a constant scale, the temperature of the softmax",
    "sReLU Eq. 6",
    elementwise.SCALE_PRINTED,
    forms=elementwise.SCALE_FORMS,
    affine="none",
)
STANDARDIZATION = Norm(
    "std-loss",
    "no norm: a term of the loss pulls mean and variance",
    "StdLoss Eq. 2",
    standardization.PRINTED,
    affine="none",
)

# Folded at inference

SIGN = Norm(
    "fold-sign",
    "batch norm before sign(): one threshold",
    "QuantBN section 3",
    fold.SIGN,
    forms={"threshold": fold.SIGN},
)
TERNARY = Norm(
    "fold-ternary",
    "batch norm before a ternary quantizer: two thresholds",
    "QuantBN section 4, Eq. 3",
    fold.TERNARY,
    forms={"two-thresholds": fold.TERNARY},
)

CATALOG: dict[str, Norm] = {
    norm.name: norm
    for norm in (
        *(L2, L1, RANGE, MEAN_ONLY, LAYER, LAYER_L1, GROUP, INSTANCE, RMS),
        *(*SAMPLED, MIXED),
        *(SRELU, FINAL_ONLY, ELU, SCALE, STANDARDIZATION, SIGN, TERNARY),
    )
}


def find(name: str) -> Norm:
    """The entry of that name, or a ValueError that suggests one."""
    try:
        return CATALOG[name]
    except (KeyError, TypeError):
        raise ValueError(f"unknown norm {name!r}: {did_you_mean(name, CATALOG)}") from None
