"""The MCP front end: coding agents and editors call the product's commands as tools.

`schema`, `tools` and `gate` know nothing of the SDK; the other modules import it, which takes
most of a second, and only ``orc mcp`` imports them.
"""
