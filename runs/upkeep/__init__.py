"""What an operator keeps, restores and lets go."""
