"""The association network in Keras: each product as a source and as a target, A_ij = s_i · t_j."""

from typing import Any

import keras
from keras import layers, ops

from models.association.params import AssociationParams
from models.losses import NEVER, softmax
from models.products import FusedProducts
from tandem.features.products import MODALITIES, ProductFeatures


class Role(layers.Layer):
    """Products in one role: id vector + network of their features."""

    def __init__(self, products: int, params: AssociationParams, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.own = self.add_weight(name="own", shape=(products, params.dim), initializer=start)
        self.network = keras.Sequential(
            [
                layers.Dense(params.hidden, activation="silu"),
                layers.Dropout(params.dropout, seed=seed),
                layers.Dense(params.dim, kernel_initializer="zeros"),
            ]
        )
        self.network.build((None, params.hidden))

    def call(self, x: Any, training: bool = False) -> Any:
        """(products, dim) from (products, hidden)."""
        return self.own + self.network(x, training=training)  # (products, dim)


class AssociationNetwork(keras.Model):
    """A_ij = s_i · t_j, s_i = id vector of i as source + network of X_i, t_j likewise as target.

    Trained as log P(j | i) = A_ij + log q_j + constant, so that A says how much more often j goes with i than
    its popularity q explains. What a product that nobody met learns here is noise; `newcomers` puts a forecast in its
    place.
    """

    def __init__(self, features: ProductFeatures, params: AssociationParams, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.described = FusedProducts(features, params.hidden, MODALITIES)
        self.roles = [Role(len(features), params, params.seed + n) for n in range(2)]

    def build(self, *_: Any) -> None:
        """Nothing is left to do: the constructor makes every weight."""
        self.built = True

    def vectors(self, training: bool = False) -> tuple[Any, Any]:
        """(products, dim) sources and targets."""
        x = self.described.table()  # (products, hidden)
        source, target = (role(x, training=training) for role in self.roles)
        return source, target

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
        losses = softmax(y_pred, y, x)  # (antecedents,)
        return ops.sum(losses * x["weight"]) / ops.sum(x["weight"])
