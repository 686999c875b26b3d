"""The tables and verdicts of captures for assistants that speak MCP: read-only, in folders that are named, answers of bounded size."""
