"""From firmware/ to what a board runs: compiled files, images, and what makes them."""
