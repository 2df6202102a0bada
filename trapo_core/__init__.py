"""TRAPO (arXiv 2512.17636): supervised fine-tuning and reinforcement learning inside one training instance.

Import what you need from the modules; nothing is imported here, so that reading a spec never loads torch.
"""
