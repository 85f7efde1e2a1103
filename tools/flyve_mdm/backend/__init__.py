"""A simulated Flyve MDM backend: GLPI's REST interface, its administrator, its broker and NTP."""
