"""MicroPython on this machine: its process, and functions that are called in it."""
