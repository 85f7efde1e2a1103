"""For tests of what is on the flash."""

from flyve.jobs import files


def write(path, data=b""):
    """Makes a file, or makes it anew."""
    with open(path, "wb") as f:
        f.write(data)


def delete(path):
    """Removes it, if it is there."""
    for _ in files.delete(path):
        pass
