"""Damaged input in batches, a sample or a long run of them."""

import pytest

BATCH = 50


def sizes(sample, whole):
    """A sample, and a long run in the soak."""
    long_run = pytest.param(whole, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])
    return pytest.mark.parametrize("count", [sample, long_run])


def run(upy, function, make, count, *more):
    """Calls the function with count things that make() gives; what it says beside the wrong."""
    others = []
    for _ in range(0, count, BATCH):
        data = [make() for _ in range(min(count, BATCH))]
        found = upy.call("damaged_input", function, data, *more, deadline=120)
        wrong, *rest = found if function == "bundles" else (found,)
        assert not wrong, (wrong[0][1], data[wrong[0][0]], upy.output[-2000:])
        others += rest
    return others
