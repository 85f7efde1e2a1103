"""What is measured: size, speed, memory, coverage, and the faults that tests find."""
