"""The interest network in Keras: events to a user vector, user vector and counts to logits."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.interest.layers import Asked, Counted, EventVectors, LstmEncoder, Memory, ProductVectors, TransformerEncoder
from models.interest.params import InterestParams, LstmParams, TransformerParams
from models.losses import softmax
from tandem.features.products import ProductFeatures


class UserNetwork(keras.layers.Layer):
    """Users at moments, from their typed events: the part that is exported for serving."""

    def __init__(self, params: InterestParams, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = params.dim
        self.events = EventVectors(params.dim, params.dropout, params.event_dropout, params.seed)
        self.encoder = encoder(params)
        self.memory = Memory(params.dim)
        self.asked = Asked(params.dim, params.dropout, params.seed + 3)

    def call(self, x: dict[str, Any], vectors: Any, training: bool = False) -> Any:
        """(questions, dim + 1) user vector and loyalty.

        Args:
            x: product, kind, days (batch, length) and opinion (batch, length, WIDTH), oldest first, padded on the
                right; row, place (questions,) say after which event a question is asked, and since (questions,) how
                many days after it.
            vectors: (products, dim). What follows an event changes nothing in the answers asked after it.
        """
        products = ops.take(vectors, x["product"], axis=0)  # (batch, length, dim)
        events, shown = self.events(products, x, training=training)
        states = self.encoder(events, x["days"], training=training)  # (batch, length, dim)
        memory = self.memory(shown, x["kind"], x["days"])  # (batch, length, dim)
        place = x["row"] * ops.shape(x["product"])[1] + x["place"]  # (questions,)
        state, memory = (ops.take(ops.reshape(t, (-1, self.dim)), place, axis=0) for t in (states, memory))
        return self.asked(state, memory, x["since"], training=training)


class OneQuestion(keras.layers.Layer):
    """The user network as serving calls it: product vectors fixed, one question for each row of events."""

    def __init__(self, user: UserNetwork, vectors: NDArray[np.float32], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user, self.fixed = user, vectors

    def call(self, x: dict[str, Any]) -> Any:
        """(batch, dim + 1)."""
        return ask_once(self.user, x, ops.convert_to_tensor(self.fixed))


def ask_once(user: UserNetwork, x: dict[str, Any], vectors: Any) -> Any:
    """(batch, dim + 1): one question for each row of events, after the event at `place`."""
    row = ops.arange(ops.shape(x["product"])[0], dtype="int32")
    return user({**x, "row": row}, vectors)


class InterestNetwork(keras.Model):
    """Logits of candidates for questions, and the loss against what was taken."""

    def __init__(self, features: ProductFeatures, params: InterestParams, own: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vectors = ProductVectors(features, params.dim)
        self.user = UserNetwork(params)
        self.counted = Counted(len(features), own, len(params.trend_days))

    def build(self, *_: Any) -> None:
        """Nothing is left to do: the constructor makes every weight."""
        self.built = True

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """(questions, candidates) logits."""
        vectors = self.vectors.table()  # (products, dim)
        asked = self.user(x, vectors, training=training)  # (questions, dim + 1)
        chosen = ops.take(vectors, x["candidates"], axis=0)  # (candidates, dim)
        deep = ops.matmul(asked[:, :-1], ops.transpose(chosen))  # (questions, candidates)
        return self.counted(deep, asked[:, -1:], x)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Mean of the questions' softmax losses, sampled when the batch names draws."""
        return ops.mean(softmax(y_pred, y, x))


def encoder(params: InterestParams) -> keras.layers.Layer:
    """The variant's encoder."""
    match params:
        case TransformerParams():
            return TransformerEncoder(params.dim, params.heads, params.blocks, params.dropout, params.seed + 2)
        case LstmParams():
            return LstmEncoder(params.dim, params.kernel)
    raise TypeError(f"no encoder for {type(params).__name__}")
