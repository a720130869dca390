"""What `make bench` runs: figures about speed and size, each beside its alternative."""
