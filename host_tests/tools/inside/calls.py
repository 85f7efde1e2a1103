# Called by test_micropython_process.py, inside MicroPython.

import os


def echo(*args):
    return list(args)


def noisy(text):
    print(text, end="")
    return text


def fail():
    raise ValueError("no good")


def crash():
    os.system("kill -9 $PPID")


def hang():
    while True:
        pass


def unfit():
    return echo


_count = 0


def count():
    global _count
    _count += 1
    return _count
