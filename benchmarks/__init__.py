"""What `make bench` runs: figures about speed and size, printed."""
