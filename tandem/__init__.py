"""The core of Tandem: pure functions and typed objects, free of every outside platform."""
