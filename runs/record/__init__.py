"""What a run has told: from its files to rows, and from rows to what pictures ask for."""
