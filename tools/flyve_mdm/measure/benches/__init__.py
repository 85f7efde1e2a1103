"""One file for each bench of `flyve bench`; what runs inside MicroPython is in inside/."""
