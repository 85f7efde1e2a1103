# The variant ROMFS of all boards. The port does not switch ROMFS on by itself.
flyve_partitions(partitions-romfs.csv)
list(APPEND MICROPY_DEF_BOARD MICROPY_VFS_ROM=1)
set(MICROPY_FROZEN_MANIFEST ${FLYVE_BOARDS}/manifest_romfs.py)
