"""Networks in: one model, and the readers that fill it."""

from hwnorm.network.model import KINDS as KINDS
from hwnorm.network.model import Kind as Kind
from hwnorm.network.model import Layer as Layer
from hwnorm.network.model import Network as Network
