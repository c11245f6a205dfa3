"""The list of rankers: everything a release may hold, without loading a network library."""

import subprocess
import sys

import pytest

from models.rankers import NETWORKS, RANKERS
from tandem import params
from tandem.ranking.counting import COUNTING


def test_each_ranker_is_listed_by_its_own_name() -> None:
    assert {name: ranker.name for name, ranker in RANKERS.items()} == {name: name for name in RANKERS}
    assert set(RANKERS) == set(COUNTING) | set(NETWORKS) | {"blend"}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_has_its_section_in_params(name: str, root) -> None:
    section = params.read_all(root / "params.yaml")["networks"][name]
    read = NETWORKS[name].params_class.read(root / "params.yaml")
    assert read.room == section["room"]
    assert (root / "models" / read.room / "README.md").exists()


def test_importing_them_loads_no_network_library(root) -> None:
    code = "import sys, models.rankers; sys.exit(bool({'tensorflow', 'keras', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
