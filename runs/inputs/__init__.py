"""What a spec can name."""
