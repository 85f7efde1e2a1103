# No agent in the firmware: it runs in place from a ROMFS image that is sent apart.
include(${MICROPY_BOARD_DIR}/../romfs.cmake)
