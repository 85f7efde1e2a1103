"""The page for pilots: all devices in a browser, and what an administrator does with them."""
