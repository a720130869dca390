"""The sandbox serves the whole catalogue, and nothing that the catalogue does not know."""

from __future__ import annotations

from starlette.routing import Match, Route

from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.sandbox.app import HANDLERS, create_app
from losant_mcp.sandbox.store import Store


def test_every_endpoint_has_its_route_and_every_route_its_endpoint(store: Store) -> None:
    """Routes and catalogue agree in both directions, by id, method and path."""
    routes = [route for route in create_app(store).routes if isinstance(route, Route)]
    served = {(r.name, *(r.methods or ()), r.path) for r in routes if r.name in ENDPOINTS}
    assert served == {(e.id, e.method, e.path) for e in ENDPOINTS.values()}
    own = {r.path for r in routes if r.name not in ENDPOINTS}
    assert own == {"/sandbox/health", "/sandbox/faults", "/sandbox/files/{fileId}"}


def test_every_handler_is_served() -> None:
    """No handler is left over under an id that the catalogue does not have."""
    assert HANDLERS.keys() == ENDPOINTS.keys()


def test_no_route_hides_another(store: Store) -> None:
    """A path of the catalogue reaches its own route, although others have room for it."""
    routes = [route for route in create_app(store).routes if isinstance(route, Route)]
    for endpoint in ENDPOINTS.values():
        scope = {"type": "http", "method": endpoint.method, "path": endpoint.path}
        first = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
        assert first.name == endpoint.id
