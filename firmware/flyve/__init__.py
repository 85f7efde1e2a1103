"""Flyve MDM agent for ESP32 boards."""

VERSION = "2.0.0-esp32"  # the backend refuses less than 2.0.0 for the type "android"
BUILD = 848534400  # 2026-11-21, seconds since 2000: no true clock shows less
