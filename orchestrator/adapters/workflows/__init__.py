"""The workflow configuration of a phase server for coding agents, as settings of ours."""
