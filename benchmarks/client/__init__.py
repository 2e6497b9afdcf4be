"""The one client that all servers are measured with: sockets, and requests written beforehand."""
