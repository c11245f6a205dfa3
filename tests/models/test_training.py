"""What training runs tell while they run."""

import logging

import pytest

from models import training


@pytest.mark.parametrize(
    ("every_s", "told"),
    [(0, ["epoch 1: loss 0.5000", "epoch 2: loss 0.2500"]), (3600, ["epoch 2: loss 0.2500"])],
)
def test_of_quick_epochs_the_last_is_told_and_of_slow_ones_each(
    every_s: float, told: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training, "PROGRESS_S", every_s)
    tell = training.Tell()
    with caplog.at_level(logging.INFO):
        tell.on_train_begin()
        for epoch, loss in enumerate((0.5, 0.25)):
            tell.on_epoch_end(epoch, {"loss": loss})
        tell.on_train_end()
    assert caplog.messages == told
