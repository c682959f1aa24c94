"""`captionfill-train`: one module for each group of commands.

Heavy imports are inside the commands, so that --help is fast.
"""
