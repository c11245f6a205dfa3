"""The association network in Keras: each product as a source and as a target, A_ij = s_i · t_j."""

from typing import Any

import keras
from keras import layers, ops

from models.association.params import AssociationParams
from models.losses import NEVER, full_softmax, sampled_softmax
from models.products import DescribedProducts
from tandem.features.products import ProductFeatures


class AssociationNetwork(keras.Model):
    """A_ij = temperature · cos(source(x_i), target(x_j)), x = W X + id vector.

    The id vector of some products is left out in each training step, so that features alone must do. Trained
    as log P(j | i) = A_ij + log q_j + constant, so that A is how much more often than by popularity j goes with i.
    """

    def __init__(self, features: ProductFeatures, params: AssociationParams, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.described = DescribedProducts(features, params.hidden, with_sales=True)
        start = keras.initializers.RandomNormal(stddev=0.05)
        self.own = self.add_weight(name="own", shape=(len(features), params.hidden), initializer=start)
        self.hide = layers.Dropout(params.id_dropout, noise_shape=(None, 1), seed=params.seed)
        self.roles = [_role(params, params.seed + 1 + n) for n in range(2)]
        self.log_temperature = self.add_weight(
            name="log_temperature", shape=(), initializer=keras.initializers.Constant(2.0)
        )

    def vectors(self, training: bool = False) -> tuple[Any, Any]:
        """(products, dim) sources, times the temperature, and targets."""
        x = self.described.table() + self.hide(self.own, training=training)  # (products, hidden)
        source, target = (ops.normalize(role(x, training=training), axis=1) for role in self.roles)
        return source * ops.exp(self.log_temperature), target

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """(antecedents, candidates) logits of what goes with each antecedent."""
        source, target = self.vectors(training=training)
        source = ops.take(source, x["antecedent"], axis=0)  # (antecedents, dim)
        target = ops.take(target, x["candidates"], axis=0)  # (candidates, dim)
        logits = ops.matmul(source, ops.transpose(target)) + x["log_share"]  # (antecedents, candidates)
        itself = ops.equal(x["antecedent"][:, None], x["candidates"][None, :])  # (antecedents, candidates)
        return ops.where(itself, NEVER, logits)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Weighted mean of the antecedents' softmax losses, sampled when the batch names draws."""
        if "drawn" in x:
            losses = sampled_softmax(y_pred, y, x["drawn"], x["log_expected"])
        else:
            losses = full_softmax(y_pred, y)
        return ops.sum(losses * x["weight"]) / ops.sum(x["weight"])


def _role(params: AssociationParams, seed: int) -> keras.Sequential:
    role = keras.Sequential(
        [
            layers.Dense(params.hidden, activation="silu"),
            layers.Dropout(params.dropout, seed=seed),
            layers.Dense(params.dim),
        ]
    )
    role.build((None, params.hidden))
    return role
