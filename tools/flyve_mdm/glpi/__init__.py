"""What an administrator does, over the REST API of GLPI with the plugin Flyve MDM."""
