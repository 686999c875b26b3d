"""The verdicts on captures for assistants (MCP): read-only, in named folders, answers of bounded size."""
