"""The least that a server on the SDK costs: twenty trivial tools over stdio."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer


def build() -> MCPServer:
    """A server with twenty tools that add two numbers."""
    server = MCPServer("bare")

    def add(a: int, b: int = 0) -> int:
        """Add two numbers."""
        return a + b

    for number in range(20):
        server.add_tool(add, name=f"add_{number}")
    return server


if __name__ == "__main__":
    build().run("stdio")
