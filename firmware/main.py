"""Starts the agent."""

import sys

try:
    from flyve.agent import main
except Exception as e:
    # Enough of such starts bring back the agent before the last update.
    import time

    import machine

    sys.print_exception(e)
    print("main: the agent is damaged: `flyve deploy` renews it")
    time.sleep(10)
    machine.reset()

main()
