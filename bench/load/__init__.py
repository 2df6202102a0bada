"""The service under load: one program a figure; see `__main__.py`."""
