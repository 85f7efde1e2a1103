# MicroPython's own board, with two slots for firmware and the agent frozen into it.
include(boards/ESP32_GENERIC/mpconfigboard.cmake)
include(${MICROPY_BOARD_DIR}/../flyve.cmake)
