"""The API as a server process: sockets and HTTP/1.1."""
