# MicroPython's own modules, without the libraries of which the agent brings its versions
# (requests, umqtt) and without what opens a board to the network (webrepl).
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
require("dht")
require("ds18x20")
require("neopixel")
require("onewire")
require("ssl")
