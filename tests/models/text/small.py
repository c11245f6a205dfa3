"""Params of a tuning that takes seconds."""

from models.text.params import TuningParams

PARAMS = TuningParams(
    enabled=True,
    partners=5,
    min_baskets=1,
    held_out=0.3,
    min_pairs=50,
    min_queries=20,
    frozen_layers=1,
    max_pairs=1000,
    max_length=8,
    batch=20,
    temperature=0.1,
    epochs=8,
    patience=8,
    learning_rate=0.01,
    weight_decay=0.0,
    confidence=0.95,
    seed=7,
)
