"""Virtual boards, and what the host does to a board: deploy, provision, reset."""
