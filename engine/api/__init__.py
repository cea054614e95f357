"""The HTTP API: routes by resource, one mapping of errors, and the server on the socket."""
