"""The paper's two pilot experiments, on a CPU in under a minute."""
