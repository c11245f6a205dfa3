"""Split events by time into train, validation and test.

Reads   data/snapshot/events.parquet                    tandem.data.schema.EVENTS
Writes  data/splits/{train,validation,test}.parquet     tandem.data.schema.EVENTS
        data/splits/cuts.json                           tandem.data.splits.Cuts
Params  split                                           tandem.params.SplitParams
"""

import logging
from pathlib import Path

from stages import run
from tandem import files
from tandem.data import schema
from tandem.data.splits import cut_points, split_by_time
from tandem.params import SplitParams

log = logging.getLogger(__name__)


def main(snapshot: Path, splits: Path) -> None:
    """Write the three parts and the moments between them."""
    params = SplitParams.read()
    events = files.read(snapshot / "events.parquet", schema.EVENTS)
    parts = split_by_time(events, params)
    for name, part in parts.items():
        files.write(part, splits / f"{name}.parquet", schema.EVENTS)
    log.info("wrote %s: %s", splits, ", ".join(f"{name} {len(part):,} events" for name, part in parts.items()))
    cut_points(events, params).write(splits / "cuts.json")


if __name__ == "__main__":
    run(main)
