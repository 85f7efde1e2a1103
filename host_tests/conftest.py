"""All tests: MicroPython files under unit/ are run by the plugin host_tests.upy."""

from host_tests import upy


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("flyve-upy"):
        config.pluginmanager.register(upy, "flyve-upy")
