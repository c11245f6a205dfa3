"""The interest network in Keras: events to a user vector, user vector and counts to logits."""

from typing import Any

import keras
from keras import ops

from models.interest.layers import Asked, Counted, EventVectors, LstmEncoder, ProductVectors, TransformerEncoder
from models.interest.losses import full_softmax, sampled_softmax
from models.interest.params import InterestParams, LstmParams, TransformerParams
from tandem.features.products import ProductFeatures


class UserNetwork(keras.Model):
    """Users at moments, from their typed events: the part that is exported for serving."""

    def __init__(self, features: ProductFeatures, params: InterestParams, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = params.dim
        self.vectors = ProductVectors(features, params.dim)
        self.events = EventVectors(params.dim, params.dropout, params.event_dropout, params.seed)
        self.encoder = encoder(params)
        self.asked = Asked(params.dim, params.dropout, params.seed + 3)

    def states(self, x: dict[str, Any], training: bool = False) -> Any:
        """(batch, length, dim) state after each event; later events change nothing in it."""
        events = self.events(self.vectors.table(), x["product"], x["kind"], x["days"], training=training)
        return self.encoder(events, x["days"], training=training)

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """(questions, dim + 1) user vector and loyalty.

        Args:
            x: product, kind, days (batch, length), oldest first, padded on the right; row, place (questions,)
                say after which event a question is asked, and since (questions,) how many days after it.
        """
        states = self.states(x, training=training)
        flat = ops.reshape(states, (-1, self.dim))  # (batch · length, dim)
        state = ops.take(flat, x["row"] * ops.shape(x["product"])[1] + x["place"], axis=0)  # (questions, dim)
        return self.asked(state, x["since"], training=training)


class OneQuestion(keras.layers.Layer):
    """The user network asked once for each row of events, after the event at `place`."""

    def __init__(self, user: UserNetwork, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user

    def call(self, x: dict[str, Any]) -> Any:
        """(batch, dim + 1)."""
        return self.user({**x, "row": ops.arange(ops.shape(x["product"])[0], dtype="int32")})


class InterestNetwork(keras.Model):
    """Logits of candidates for questions, and the loss against what was taken."""

    def __init__(self, features: ProductFeatures, params: InterestParams, own: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = UserNetwork(features, params)
        self.counted = Counted(len(features), own, len(params.trend_days))

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """(questions, candidates) logits."""
        asked = self.user(x, training=training)  # (questions, dim + 1)
        vectors = ops.take(self.user.vectors.table(), x["candidates"], axis=0)  # (candidates, dim)
        deep = ops.matmul(asked[:, :-1], ops.transpose(vectors))  # (questions, candidates)
        return self.counted(deep, asked[:, -1:], x)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **_: Any) -> Any:
        """Mean of the questions' softmax losses, sampled when the batch names draws."""
        if "drawn" in x:
            return ops.mean(sampled_softmax(y_pred, y, x["drawn"], x["log_expected"]))
        return ops.mean(full_softmax(y_pred, y))


def encoder(params: InterestParams) -> keras.layers.Layer:
    """The variant's encoder."""
    match params:
        case TransformerParams():
            return TransformerEncoder(params.dim, params.heads, params.blocks, params.dropout, params.seed + 2)
        case LstmParams():
            return LstmEncoder(params.dim, params.kernel)
    raise TypeError(f"no encoder for {type(params).__name__}")
