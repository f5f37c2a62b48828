"""The phase machine: a branch is brought through the phases of its workflow by hand. Pure."""
