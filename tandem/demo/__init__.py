"""A shop that does not exist: raw exports with realistic dirt, and the truth they were made from."""

from tandem.demo.shop import generate
from tandem.demo.size import DemoSize

__all__ = ["DemoSize", "generate"]
