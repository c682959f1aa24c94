"""ASGI middleware around every route: admission, rates, body limits, hosts, request ids."""
