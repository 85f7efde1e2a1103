# Nothing of ours: a file on the flash would lose against what is frozen.
include("manifest_base.py")
