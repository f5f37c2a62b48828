"""Backlogs as files: those of other tools, exports, and the copy that lies beside the code."""
