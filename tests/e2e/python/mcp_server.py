"""A server of the Model Context Protocol by its official SDK for Python, with two tools.

Usage: mcp_server.py PORT
"""

import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("orders")


@server.tool()
def find_order(number: str, in_full: bool | None = None) -> dict[str, str]:
    """Finds an order by its number."""
    return {"number": number, "state": "sent on Monday"}


@server.tool()
def cancel_order(number: str) -> str:
    """Cancels an order, as long as it has not been sent."""
    raise ToolError(f"order {number} was sent on Monday")


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
