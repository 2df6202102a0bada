"""Who may come in, what they did, and whom the service tells."""
