"""Starts the agent."""

from flyve.agent import main

main()
