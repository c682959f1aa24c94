"""JSON shapes and the OpenAPI document."""
