# What all boards here add to MicroPython's own. A name without a path is below ports/esp32, so
# the partition table, which is not, is named from here.

set(FLYVE_BOARDS ${CMAKE_CURRENT_LIST_DIR})

macro(flyve_partitions NAME)
    file(WRITE ${CMAKE_BINARY_DIR}/sdkconfig.flyve_partitions
        "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/${NAME}\"\n")
endmacro()

flyve_partitions(partitions.csv)
list(APPEND SDKCONFIG_DEFAULTS
    ${FLYVE_BOARDS}/sdkconfig.flyve
    ${CMAKE_BINARY_DIR}/sdkconfig.flyve_partitions
)
if(EXISTS ${MICROPY_BOARD_DIR}/sdkconfig.board)
    list(APPEND SDKCONFIG_DEFAULTS ${MICROPY_BOARD_DIR}/sdkconfig.board)
endif()

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
