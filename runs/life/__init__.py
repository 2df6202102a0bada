"""The life of a run: submitted, claimed, watched, asked for, ended, removed."""
