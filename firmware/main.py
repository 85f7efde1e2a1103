"""Starts the agent."""

import sys

try:
    from flyve.agent import main
except Exception as e:
    # Damaged: enough of such starts bring back the agent before the last update.
    import time

    import machine

    sys.print_exception(e)
    time.sleep(10)
    machine.reset()

main()
