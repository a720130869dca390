"""What a model may do: one file a domain, each tool a typed function beside its endpoints."""
