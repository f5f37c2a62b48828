"""Git: one hardened runner, and what is built on it."""
